//! Tickets of checks: what a Job in a cluster shows once, to say how its check went.
//!
//! A ticket is good for that one report and for nothing else; whoever holds it can at worst say
//! something untrue about one binding, which nothing is decided by.

use crate::opaque::opaque;

opaque! {
    /// A check's ticket in clear. It stands in the Job's manifest; its hash is stored.
    CheckTicket, "srt_"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_neither_a_session_nor_a_key() {
        let ticket = CheckTicket::generate().unwrap();
        assert_eq!(CheckTicket::parse(ticket.expose()).unwrap().hash(), ticket.hash());
        assert!(crate::ApiKey::parse(ticket.expose()).is_none());
        assert!(crate::SessionToken::parse(ticket.expose()).is_none());
        assert!(!format!("{ticket:?}").contains(ticket.expose()));
    }
}
