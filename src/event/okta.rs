//! Okta System Log → ECS, table driven.
