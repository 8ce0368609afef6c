"""Every error the library raises on purpose.

AssayError
├── UnreadableModel    the bytes are not a model of the expected format, or pass a limit
├── UnwritableModel    a format does not write that model
├── SchemeMismatch     two hash codes made by different schemes were compared
├── UnknownMethod      no method of that name in that role
├── UnknownModel       no registered model of that name or sha256, or more than one
├── DamagedRegistry    the registry's file is not one, is damaged, or was made by a newer assay
├── UnfitModel         the model has not what a method works on, such as a layer of some kind
├── BadData            examples are missing, damaged, or do not fit the model
├── Diverged           the loss of a training is no longer a number
├── Unreachable        a remote model does not answer
├── Overspent          a remote model would be asked more than its budget allows
├── UnreadableKey      the file is no key of that kind, is damaged, or its passphrase is wrong
├── UnreadableProof    a proof, an opening, a tree head or a time stamp is none, or is damaged
├── Unproved           a proof does not show what it is to show
├── UnreadableLicense  a license, or what it is to open, is none, or is damaged
├── Unlicensed         a license does not allow what is asked for
├── MissingExtra       the method needs an optional dependency that is not installed
└── BadOption          an option's value does not fit its field
"""


class AssayError(Exception):
    """Base of every error raised on purpose; its message names the culprit and the remedy."""


class UnreadableModel(AssayError):
    """The bytes are not a model of the expected format, or pass a limit."""


class UnwritableModel(AssayError):
    """A format does not write that model."""


class SchemeMismatch(AssayError):
    """Two hash codes made by different schemes were compared."""


class UnknownMethod(AssayError, KeyError):
    """No method of that name in that role."""

    __str__ = Exception.__str__  # KeyError would show the message's repr


class UnknownModel(AssayError, KeyError):
    """No registered model of that name or sha256, or more than one."""

    __str__ = Exception.__str__


class DamagedRegistry(AssayError):
    """The registry's file is not one, is damaged, or was made by a newer assay."""


class UnfitModel(AssayError, ValueError):
    """The model has not what a method works on, such as a layer of some kind."""


class BadData(AssayError, ValueError):
    """Examples are missing, damaged, or do not fit the model."""


class Diverged(AssayError):
    """The loss of a training is no longer a number."""


class Unreachable(AssayError):
    """A remote model does not answer."""


class Overspent(AssayError):
    """A remote model would be asked more than its budget allows."""


class UnreadableKey(AssayError):
    """The file is no key of that kind, is damaged, or its passphrase is wrong."""


class UnreadableProof(AssayError):
    """A proof, an opening, a tree head or a time stamp is none, or is damaged."""


class Unproved(AssayError):
    """A proof does not show what it is to show."""


class UnreadableLicense(AssayError):
    """A license, or what it is to open, is none, or is damaged."""


class Unlicensed(AssayError):
    """A license does not allow what is asked for."""


class MissingExtra(AssayError):
    """The method needs an optional dependency that is not installed."""


class BadOption(AssayError, ValueError):
    """An option's value does not fit its field."""
