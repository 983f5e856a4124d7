//! Rule test cases.
