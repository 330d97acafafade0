//! Changes to a text that was signed, read from what the fuzzer invents.

/// `text` with some of its bytes replaced, removed or doubled; other than `text` was, or `None`.
pub fn edited(text: &str, edits: &[u8]) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    for edit in edits.chunks_exact(3).take(8) {
        if bytes.is_empty() {
            break;
        }
        let at = (usize::from(edit[0]) << 4 | usize::from(edit[1] >> 4)) % bytes.len();
        match edit[1] & 3 {
            0 | 1 => bytes[at] = edit[2] & 0x7f,
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, edit[2] & 0x7f),
        }
    }
    String::from_utf8(bytes).ok().filter(|changed| changed != text)
}

/// The input's first line, and what follows it.
pub fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}
