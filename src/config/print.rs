//! The format's reference, made from the table of keys: JSON schema and Markdown.
