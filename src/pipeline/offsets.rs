//! Per partition: the contiguous watermark of finished records.
