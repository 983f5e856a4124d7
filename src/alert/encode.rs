//! Alert → bytes.
