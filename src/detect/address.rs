//! IP addresses and blocks of them, as Elasticsearch compares them on `ip` fields.
//!
//! Every address is a number of 128 bits, IPv4 as its mapped IPv6 form (`::ffff:10.0.0.1` is
//! `10.0.0.1`), so that one address, a block and a range are all the same: from, to.

use std::net::IpAddr;

/// Every address from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) first: u128,
    pub(super) last: u128,
}

/// The number of the address that `text` spells.
pub(super) fn address(text: &str) -> Option<u128> {
    text.parse::<IpAddr>().ok().map(number)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl Block {
    /// The address or the CIDR block that `text` spells; bits behind the prefix do not count.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some((start, length)) = text.split_once('/') else {
            let only = address(text)?;
            return Some(Self { first: only, last: only });
        };
        let is_length = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u32 = is_length.then(|| length.parse().ok())??;
        let start: IpAddr = start.parse().ok()?;
        let free_bits = match start {
            IpAddr::V4(_) => 32_u32.checked_sub(length)?,
            IpAddr::V6(_) => 128_u32.checked_sub(length)?,
        };
        let hosts = match free_bits {
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        };
        let first = number(start) & !hosts;
        Some(Self { first, last: first | hosts })
    }

    pub(super) const fn holds(self, address: u128) -> bool {
        self.first <= address && address <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, address};

    fn check(block: &str, text: &str, wanted: bool) {
        let holds = Block::parse(block).expect("a block").holds(address(text).expect("an address"));
        assert_eq!(holds, wanted, "{text} in {block}");
    }

    #[test]
    fn blocks_hold_their_addresses_in_every_spelling() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.1.2.3/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("10.0.0.0/8", "::ffff:10.0.0.1", true);
        check("::ffff:10.0.0.0/104", "10.0.0.1", true);
        check("0.0.0.0/0", "255.255.255.255", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "10.0.0.1", true);
        check("2001:db8::/32", "2001:DB8:0:0:0:0:0:1", true);
        check("fe80::1", "fe80:0::0:1", true);
        check("192.168.1.1/32", "192.168.1.1", true);
        check("192.168.1.1/32", "192.168.1.2", false);
    }

    #[test]
    fn what_is_no_block_is_none() {
        for text in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "x/8"] {
            assert_eq!(Block::parse(text), None, "{text:?}");
        }
        assert_eq!(address("010.0.0.1"), None);
        assert_eq!(address("fe80::1%eth0"), None);
    }
}
