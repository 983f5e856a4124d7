//! The client library's code of a failed delivery → its class.
//!
//! By then the library has tried what can be tried: it sends again by itself what a new leader or a
//! broker that comes back would take, until `delivery.message_timeout_ms` is over. Everything that
//! is not known to be the output's own fault is taken for the target's: its offset is held.

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::sink::{FaultClass, Refusal};

/// The class of `code`; `None`: the library gave none.
pub(super) fn of(code: Option<Code>) -> FaultClass {
    match code {
        Some(Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize) => {
            FaultClass::Refused(Refusal::TooLarge)
        }
        Some(
            Code::InvalidRecord | Code::InvalidTimestamp | Code::BadMessage | Code::InvalidArgument,
        ) => FaultClass::Refused(Refusal::Invalid),
        Some(Code::PolicyViolation) => FaultClass::Refused(Refusal::Policy),
        // Idempotence is broken, or somebody else uses this producer's identity.
        Some(
            Code::Fatal
            | Code::Fenced
            | Code::OutOfOrderSequenceNumber
            | Code::UnknownProducerId
            | Code::InvalidProducerEpoch
            | Code::ProducerFenced,
        ) => FaultClass::Fatal,
        _ => FaultClass::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(class: FaultClass, codes: &[Code]) {
        for code in codes {
            assert_eq!(of(Some(*code)), class, "{code}");
        }
    }

    #[test]
    fn an_output_is_refused_only_where_it_is_the_problem_itself() {
        check(FaultClass::Refused(Refusal::TooLarge), &[Code::MessageSizeTooLarge]);
        check(
            FaultClass::Refused(Refusal::Invalid),
            &[Code::InvalidRecord, Code::InvalidTimestamp],
        );
        check(FaultClass::Refused(Refusal::Policy), &[Code::PolicyViolation]);
    }

    #[test]
    fn what_may_pass_is_unavailable() {
        check(
            FaultClass::Unavailable,
            &[
                Code::TopicAuthorizationFailed,
                Code::ClusterAuthorizationFailed,
                Code::UnknownTopicOrPartition,
                Code::UnknownTopic,
                Code::UnknownPartition,
                Code::MessageTimedOut,
                Code::ThrottlingQuotaExceeded,
                Code::NotEnoughReplicas,
                Code::KafkaStorageError,
                Code::AllBrokersDown,
                Code::SaslAuthenticationFailed,
            ],
        );
        assert_eq!(of(None), FaultClass::Unavailable);
    }

    #[test]
    fn broken_idempotence_is_fatal() {
        check(FaultClass::Fatal, &[Code::Fatal, Code::OutOfOrderSequenceNumber]);
    }
}
