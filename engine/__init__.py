"""Speech recognition: an audio or video file in, a `Transcript` out. Knows nothing of Telegram, Redis or SQL.

Other rooms import the names that `__init__.pyi` lists, from here. Each is loaded from its module when first used: a
process without a model loads nothing that only a model needs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
