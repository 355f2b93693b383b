"""What can go wrong with what is kept, each with its remedy."""

from engine import Fault


class DatabaseFault(Fault):
    """The database cannot be used at the moment, or at all."""

    code = "database"
    sentence = "The database {where} does not work: {reason}."


class DatabaseBusy(DatabaseFault):
    """Another program holds the database for longer than anybody waits."""

    code = "database_busy"
    sentence = "The database {where} is locked by another program. Close what else has it open, then try again."


class DatabaseDamaged(DatabaseFault):
    """The file is no SQLite database, or a broken one."""

    code = "database_damaged"
    sentence = (
        "The file {where} is not a sound SQLite database. Put back a copy of it, or move it away: an empty one is "
        "made at the next start."
    )


class DatabaseFull(DatabaseFault):
    """The disk takes no more, be it full or broken."""

    code = "database_full"
    sentence = (
        "The disk that holds the database {where} takes no more. Make room, or check the disk and the limits on the "
        "size of files; work goes on by itself."
    )


class DatabaseForbidden(DatabaseFault):
    """The file or its folder cannot be opened or written."""

    code = "database_forbidden"
    sentence = "The database {where} cannot be opened for writing. Check that this user owns the file and its folder."


class DatabaseUnreachable(DatabaseFault):
    """The database server does not answer or does not let us in."""

    code = "database_unreachable"
    sentence = "The database {where} cannot be reached: {reason}. Check database.url and that the server runs."


class DatabaseNewer(DatabaseFault):
    """A newer program has already changed the tables."""

    code = "database_newer"
    sentence = (
        "The database {where} was written by a newer Earshot (its revision {revision} is unknown here). Update this "
        "program, or set database.url to another database."
    )


class DatabaseUrlWrong(DatabaseFault):
    """`database.url` is no URL of a database that is supported."""

    code = "database_url_wrong"
    sentence = (
        "database.url is not understood. Write postgresql://user:password@host/name or sqlite:////absolute/path, or "
        "leave it empty for SQLite in the data folder."
    )


class NoteGone(Fault):
    """The note was deleted."""

    code = "note_gone"
    sentence = "This recording was deleted. Send it again."
