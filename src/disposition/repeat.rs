//! A bounded window of ids that were delivered lately.

use crate::alert::AlertId;

/// The ids of the last delivered alerts, bounded; the oldest leaves first.
///
/// An id enters only when its alert is delivered: a hit whose id is still in flight is published
/// again, or a failed delivery followed by a redelivery would lose the alert.
#[derive(Debug)]
pub struct RecentIds {
    capacity: usize,
}

impl RecentIds {
    /// A window of at most `capacity` ids; 0 switches it off.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity }
    }
    /// Whether `id` was delivered lately.
    #[must_use]
    pub fn contains(&self, id: &AlertId) -> bool {
        let _ = (id, self.capacity);
        unimplemented!()
    }
    /// Records that the alert `id` was delivered.
    pub fn delivered(&mut self, id: AlertId) {
        let _ = id;
        unimplemented!()
    }
}
