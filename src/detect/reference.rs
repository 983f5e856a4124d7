//! A naive evaluator: the oracle of tests, fuzzing and the self-check.
