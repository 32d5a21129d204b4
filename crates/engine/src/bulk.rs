//! Bulk reads: one answer about many objects, taken apart entry by entry.
//!
//! An estate's worth of objects is tens of megabytes; as one tree it would be ten times that. The answer
//! is taken apart while it comes in, and each entry is given away and dropped before the next one is
//! looked at: neither is ever in memory whole.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufReader, Read};

use reqwest::Response;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use crate::answer::{Head, MAX_BULK, classify};
use crate::client::{Call, lost, too_large, whole};
use crate::error::{EngineError, Failure};

/// How much of an answer, and how many of its entries, are in memory at a time.
const PIECES: usize = 16;

/// Reads a bulk answer: every member of the object at `section` (field names from the outside in) goes
/// to `each`. A section that is not there has no members.
pub(crate) async fn read(
    call: &Call<'_>,
    response: Response,
    section: &'static [&'static str],
    each: &mut impl FnMut(&str, Value),
) -> Result<(), EngineError> {
    let head = Head::of(response.status(), response.headers());
    if !head.is_good() {
        return classify(call, &head, &whole(call, response).await?).map(drop);
    }
    let (piece, pieces) = mpsc::channel(PIECES);
    let (entry, mut entries) = mpsc::channel(PIECES);
    // Whoever stops waiting for the entries stops the reading, too: the set ends with this future.
    let mut feeding = JoinSet::new();
    feeding.spawn(feed(response, piece));
    let parsing = spawn_blocking(move || {
        take_apart(BufReader::new(Pieces::new(pieces)), section, |name, value| {
            // Nobody wants it any more; the pieces end then as well.
            let _ = entry.blocking_send((name.to_owned(), value));
        })
    });
    while let Some((name, value)) = entries.recv().await {
        each(&name, value);
    }
    let parsed = parsing.await;
    match feeding.join_next().await {
        Some(Ok(Ok(()))) => {}
        Some(Ok(Err(Broken::Lost(error)))) => return Err(lost(call, &error)),
        Some(Ok(Err(Broken::TooLarge))) => return Err(too_large(call, MAX_BULK)),
        Some(Err(_)) | None => return Err(malformed(call)),
    }
    match parsed {
        Ok(Ok(())) => Ok(()),
        _ => Err(malformed(call)),
    }
}

fn malformed(call: &Call<'_>) -> EngineError {
    let why = "it is not a JSON object of reasonable depth";
    EngineError::new(Failure::Malformed(why.into()), call.template)
}

/// Why an answer did not come whole.
enum Broken {
    Lost(reqwest::Error),
    TooLarge,
}

type Piece = Vec<u8>;

/// Hands the answer over, piece by piece. It ends early where nobody reads on: what follows the end of
/// the JSON is told there.
async fn feed(mut response: Response, to: mpsc::Sender<Piece>) -> Result<(), Broken> {
    let mut size = 0;
    while let Some(piece) = response.chunk().await.map_err(Broken::Lost)? {
        size += piece.len();
        if size > MAX_BULK {
            return Err(Broken::TooLarge);
        }
        if to.send(piece.to_vec()).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The pieces as one text.
struct Pieces {
    from: mpsc::Receiver<Piece>,
    piece: Piece,
    read: usize,
}

impl Pieces {
    fn new(from: mpsc::Receiver<Piece>) -> Self {
        Self { from, piece: Piece::new(), read: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.from.blocking_recv() {
                Some(piece) => (self.piece, self.read) = (piece, 0),
                None => return Ok(0),
            }
        }
        let rest = &self.piece[self.read..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}

/// Takes a text apart, entry by entry.
fn take_apart(
    text: impl Read,
    section: &[&str],
    mut each: impl FnMut(&str, Value),
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_reader(text);
    Section { path: section, each: &mut each }.deserialize(&mut json).and_then(|()| json.end())
}

struct Section<'s, F> {
    path: &'s [&'s str],
    each: &'s mut F,
}

impl<'de, F: FnMut(&str, Value)> DeserializeSeed<'de> for Section<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, Value)> Visitor<'de> for Section<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match self.path.split_first() {
                None => (self.each)(&name, map.next_value()?),
                Some((first, rest)) if *first == name => {
                    map.next_value_seed(Section { path: rest, each: &mut *self.each })?;
                }
                Some(_) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries of an answer that comes in pieces of this size.
    async fn entries(body: &str, size: usize) -> Result<Vec<String>, serde_json::Error> {
        let (piece, pieces) = mpsc::channel(1);
        let bytes: Vec<Piece> = body.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        tokio::spawn(async move {
            for bytes in bytes {
                let _ = piece.send(bytes).await;
            }
        });
        let read = spawn_blocking(move || {
            let mut found = Vec::new();
            take_apart(Pieces::new(pieces), &["data", "key_info"], |name, value| {
                found.push(format!("{name}={value}"));
            })?;
            Ok(found)
        });
        read.await.unwrap()
    }

    #[tokio::test]
    async fn every_member_of_the_section_is_given_and_nothing_else() {
        let body = r#"{"request_id":"r","key_info":{"no":0},"data":{"keys":["a","b"],
            "key_info":{"a":{"x":[1,2]},"b\u00fc":"\u00fcü"},"more":{"key_info":{"no":1}}}}"#;
        for size in [1, 2, 7, 4096] {
            assert_eq!(entries(body, size).await.unwrap(), [r#"a={"x":[1,2]}"#, "bü=\"üü\""]);
        }
        for empty in ["{}", r#"{"data":null}"#, r#"{"data":{"key_info":null}}"#] {
            assert!(entries(empty, 3).await.unwrap().is_empty(), "{empty}");
        }
    }

    #[tokio::test]
    async fn what_is_no_such_object_is_an_error() {
        for bad in ["", "[]", r#"{"data":3}"#, r#"{"data":{"key_info":{"a":1}"#, "{} {}"] {
            assert!(entries(bad, 2).await.is_err(), "{bad}");
        }
        let deep =
            format!(r#"{{"data":{{"key_info":{{"a":{}1{}}}}}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(entries(&deep, 64).await.is_err());
    }
}
