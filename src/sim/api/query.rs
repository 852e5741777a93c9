//! Query parameters, decoded once.

use super::super::status::ApiError;

/// The parameters of one request, in order.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads `a=b&c=d`; empty pieces are skipped (kube sends a leading `&`).
    pub fn parse(text: &str) -> Self {
        let pieces = text.split('&').filter(|piece| !piece.is_empty());
        let pairs = pieces.map(|piece| match piece.split_once('=') {
            Some((key, value)) => (decode(key), decode(value)),
            None => (decode(piece), String::new()),
        });
        Self { pairs: pairs.collect() }
    }

    /// The first value given; empty where the parameter is absent.
    pub fn get(&self, key: &str) -> &str {
        self.pairs.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
    }

    /// Whether it is given, with or without a value.
    pub fn has(&self, key: &str) -> bool {
        self.pairs.iter().any(|(k, _)| k == key)
    }

    /// Every value given.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Given, and neither `0` nor `false`: anything else is true.
    pub fn flag(&self, key: &str) -> bool {
        let given = self.pairs.iter().find(|(k, _)| k == key);
        given.is_some_and(|(_, v)| v != "0" && !v.eq_ignore_ascii_case("false"))
    }

    /// A whole number; 0 where the parameter is absent.
    pub fn number(&self, key: &str) -> Result<i64, ApiError> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
    }
}

/// Percent-decoding, with `+` for a space as in forms.
pub fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                        bytes = ahead;
                    }
                    _ => out.push(b'%'),
                }
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("&dryRun=All&labelSelector=app%3Dweb%2Ctier+in+%28a%29&watch");
        assert_eq!(query.get("dryRun"), "All");
        assert_eq!(query.get("labelSelector"), "app=web,tier in (a)");
        assert_eq!(query.number("limit"), Ok(0));
        assert_eq!(decode("100%"), "100%");
    }

    /// As v1.34 reads booleans: what is not plainly false is true, also `watch=junk`.
    #[test]
    fn what_is_not_plainly_false_is_true() {
        for (text, wanted) in [("watch", true), ("watch=", true), ("watch=junk", true), ("watch=TRUE", true)] {
            assert_eq!(Query::parse(text).flag("watch"), wanted, "{text}");
        }
        for text in ["", "watch=0", "watch=false", "watch=False"] {
            assert!(!Query::parse(text).flag("watch"), "{text}");
        }
        let refused = Query::parse("limit=junk").number("limit").map_err(|e| (e.code, e.message));
        assert_eq!(refused, Err((400, "strconv.ParseInt: parsing \"junk\": invalid syntax".to_owned())));
    }
}
