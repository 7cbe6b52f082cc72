//! Cuts histories into pages.
//!
//! Facts (server 1.32): a page holds whole batches (the Events of one request), so its size varies. A page without Events
//! and without a token can come at the end; pages without Events that have one are known from older servers. A transient
//! task's Events come behind everything else. The model splits at any place, because a worker must not mind.

use std::collections::BTreeMap;

use timewright_proto::Bytes;
use timewright_proto::history::HistoryEvent;

use crate::error::ServerError;
use crate::random::named;
use crate::token::PageToken;

/// Where histories are split into pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pages {
    /// Nowhere.
    #[default]
    Whole,
    /// After so many Events; at least one.
    Every(usize),
    /// Anywhere, as this seed says; also into pages without Events, at the end or before it. The first page of a Workflow
    /// Task has at least one.
    Seeded(u64),
}

/// Histories of which pages are still to be fetched.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    rests: BTreeMap<u64, Vec<HistoryEvent>>,
    count: u64,
}

/// A page and the token of the next, which is empty where there is none.
pub(crate) type Page = (Vec<HistoryEvent>, Bytes);

impl Deliveries {
    /// The first page of a history.
    pub(crate) fn first(&mut self, events: Vec<HistoryEvent>, pages: Pages) -> Page {
        self.count += 1;
        let token = PageToken { delivery: self.count, position: 0, page: 0 };
        let (page, next) = cut(&events, token, pages);
        if !next.is_empty() {
            self.rests.insert(token.delivery, events);
        }
        (page, next)
    }

    /// The page of a token. It can be fetched again and again.
    pub(crate) fn next(&self, token: &Bytes, pages: Pages) -> Result<Page, ServerError> {
        let invalid = || ServerError::InvalidArgument("Invalid NextPageToken.".into());
        let token = PageToken::decode(token).map_err(|_| invalid())?;
        let events =
            self.rests.get(&token.delivery).filter(|events| token.position <= events.len()).ok_or_else(invalid)?;
        Ok(cut(events, token, pages))
    }
}

fn cut(events: &[HistoryEvent], token: PageToken, pages: Pages) -> Page {
    let rest = &events[token.position..];
    let (length, may_end) = match pages {
        Pages::Whole => (rest.len(), true),
        Pages::Every(length) => (length.max(1), true),
        Pages::Seeded(seed) => {
            let mut random = named(seed, &[&token.delivery.to_string(), &token.page.to_string()]);
            // Never two empty pages in a row, so that every history comes to its end.
            let least = u64::from(token.page.is_multiple_of(2));
            let most = [1, 3, 8][random.below(3) as usize];
            ((least + random.below(most)) as usize, random.chance(50) || rest.is_empty())
        }
    };
    let length = length.min(rest.len());
    let page = rest[..length].to_vec();
    if length == rest.len() && may_end {
        return (page, Bytes::new());
    }
    let next = PageToken { position: token.position + length, page: token.page + 1, ..token };
    (page, next.encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_the_whole_and_end() {
        let events: Vec<HistoryEvent> =
            (1..=20).map(|event_id| HistoryEvent { event_id, ..HistoryEvent::default() }).collect();
        let kinds = (0..200).map(Pages::Seeded).chain([Pages::Whole, Pages::Every(0), Pages::Every(3)]);
        let (mut empty_inside, mut empty_at_end) = (0, 0);
        for pages in kinds {
            let mut deliveries = Deliveries::default();
            let (mut joined, mut token) = deliveries.first(events.clone(), pages);
            assert!(!joined.is_empty(), "{pages:?}");
            while !token.is_empty() {
                let (page, next) = deliveries.next(&token, pages).unwrap();
                empty_inside += usize::from(page.is_empty() && !next.is_empty());
                empty_at_end += usize::from(page.is_empty() && next.is_empty());
                joined.extend(page);
                token = next;
            }
            assert_eq!(joined, events, "{pages:?}");
        }
        assert!(empty_inside > 0 && empty_at_end > 0, "{empty_inside} {empty_at_end}");
    }

    #[test]
    fn a_token_of_nothing_is_refused() {
        let token = PageToken { delivery: 1, position: 0, page: 1 }.encode();
        assert!(Deliveries::default().next(&token, Pages::Whole).is_err());
        assert!(Deliveries::default().next(&"nonsense".into(), Pages::Whole).is_err());
    }
}
