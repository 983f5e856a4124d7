//! Required literals → byte scan; may only over-approximate.
