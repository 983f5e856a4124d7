//! The hot loop: program × event → bool.
