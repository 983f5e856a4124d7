//! One table of metrics: the origin of code, HELP texts and documents.
