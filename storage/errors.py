"""Faults of the database, of stored notes and of the store of artefacts; each sentence names the remedy."""

from engine import Fault


class DatabaseFault(Fault):
    """The database cannot be used at the moment, or at all."""

    code = "database"
    sentence = "The database {where} does not work: {reason}."


class DatabaseBusy(DatabaseFault):
    """Another program has locked the database for longer than the busy timeout."""

    code = "database_busy"
    sentence = "The database {where} is locked by another program. Close what else has it open, then try again."


class DatabaseDamaged(DatabaseFault):
    """The file is not a SQLite database, or is corrupt."""

    code = "database_damaged"
    sentence = (
        "The file {where} is not a sound SQLite database. Put back a copy of it, or move it away: an empty one is "
        "made at the next start."
    )


class DatabaseFull(DatabaseFault):
    """The disk takes no more data: it is full, over quota, or broken."""

    code = "database_full"
    sentence = (
        "The disk that holds the database {where} takes no more. Make room, or check the disk and the limits on the "
        "size of files; work goes on by itself."
    )


class DatabaseNotWritable(DatabaseFault):
    """The file or its folder cannot be opened for writing."""

    code = "database_forbidden"
    sentence = "The database {where} cannot be opened for writing. Check that this user owns the file and its folder."


class DatabaseUnreachable(DatabaseFault):
    """The database server does not answer or refuses the login."""

    code = "database_unreachable"
    sentence = "The database {where} cannot be reached: {reason}. Check database.url and that the server runs."


class DatabaseExhausted(DatabaseFault):
    """The database has no connection or no memory left."""

    code = "database_exhausted"
    sentence = (
        "The database {where} has no room for more work: {reason}. Raise its limits (max_connections), or run fewer "
        "processes; work goes on by itself."
    )


class DatabaseReadOnly(DatabaseFault):
    """The server is a standby, or was told to take no writes."""

    code = "database_read_only"
    sentence = (
        "The database {where} can only be read: the server is a standby, or was made read-only. Set database.url to "
        "the primary server; if this one becomes it, work goes on by itself."
    )


class DatabasePlanStale(DatabaseFault):
    """A statement was prepared before the tables were changed. The next attempt prepares it anew."""

    code = "database_plan_stale"
    sentence = "The tables of the database {where} were changed while it was in use: {reason}. It is tried again."


class DatabaseSchemaChanged(DatabaseFault):
    """The tables are not those that this program knows: a newer Earshot changed them while this one was running."""

    code = "database_schema_changed"
    sentence = (
        "The tables of the database {where} are not those that this program knows ({reason}): a newer Earshot has "
        "changed them. Update this program and start it again; nothing is lost meanwhile."
    )


class DatabaseOutdated(DatabaseFault):
    """An older Earshot made the tables, and nobody has brought them up to date."""

    code = "database_outdated"
    sentence = (
        "The database {where} was made by an older Earshot (its revision is {revision}). Stop whatever uses it, "
        "then run `earshot migrate`."
    )


class DatabaseTooNew(DatabaseFault):
    """A newer Earshot has already migrated the tables."""

    code = "database_newer"
    sentence = (
        "The database {where} was written by a newer Earshot (its revision {revision} is unknown here). Update this "
        "program, or set database.url to another database."
    )


class DatabaseUrlInvalid(DatabaseFault):
    """`database.url` is not the URL of a supported database."""

    code = "database_url_wrong"
    sentence = (
        "database.url is not understood: {reason}. Write postgresql://user:password@host/name or "
        "sqlite:////absolute/path, or leave it empty for SQLite in the data folder."
    )


class ValueNotStorable(Fault):
    """A value can never be stored: too large, too long, or no valid text."""

    code = "database_value"
    sentence = "The database {where} cannot store this: {reason}."


class NoteDeleted(Fault):
    """The note was deleted."""

    code = "note_gone"
    sentence = "This recording was deleted. Send it again."


class ArtefactsFault(Fault):
    """The store of recordings and text files cannot be used at the moment, or at all. No note waits for it."""

    code = "artefacts"
    sentence = "The store of recordings and texts at {where} does not work: {reason}."


class ArtefactsUnreachable(ArtefactsFault):
    """The service does not answer, or not as it should."""

    code = "artefacts_unreachable"
    sentence = (
        "The store of recordings and texts at {where} cannot be reached: {reason}. Check artefacts.url and that the "
        "server runs; what is missing there follows."
    )


class ArtefactsRefused(ArtefactsFault):
    """The service does not know the key, or does not let it write and delete."""

    code = "artefacts_refused"
    sentence = (
        "The store of recordings and texts at {where} refuses the key: {reason}. Correct key and secret in "
        "artefacts.url, and let that key write and delete in the bucket; what is missing there follows."
    )


class BucketMissing(ArtefactsFault):
    """The service has no such bucket."""

    code = "artefacts_bucket_missing"
    sentence = "There is no bucket at {where}. Create it, or correct artefacts.url; what is missing there follows."


class ArtefactsNotWritable(ArtefactsFault):
    """The folder of the store cannot be written, or its disk takes no more."""

    code = "artefacts_not_writable"
    sentence = (
        "Recordings and texts cannot be kept in the folder {where}: {reason}. Check that this user may write there and "
        "that the disk has room; what is missing there follows."
    )


class ArtefactsUrlInvalid(ArtefactsFault):
    """`artefacts.url` is not the URL of a bucket or a folder."""

    code = "artefacts_url_wrong"
    sentence = (
        "artefacts.url is not understood: {reason}. Write https://key:secret@host/bucket/prefix, s3://bucket/prefix or "
        "file:///absolute/path, or leave it empty for the data folder."
    )
