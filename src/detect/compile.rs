//! rule tree → program.
