//! A body in pieces, as `Transfer-Encoding: chunked` sends it (RFC 9112, 7.1): framed once for all who are sent it.

use axum::body::Bytes;

/// Ends a body.
pub const LAST: &[u8] = b"0\r\n\r\n";
const END: &[u8] = b"\r\n";

/// One piece that consists of these parts; together they are not empty, since that would end the body.
pub fn in_a_piece(parts: &[&[u8]]) -> Vec<u8> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let head = format!("{size:x}\r\n");
    let mut piece = Vec::with_capacity(head.len() + size + END.len());
    piece.extend_from_slice(head.as_bytes());
    for part in parts {
        piece.extend_from_slice(part);
    }
    piece.extend_from_slice(END);
    piece
}

/// What is in a piece, for whoever takes bodies as they are: HTTP/1.0 knows no pieces.
pub fn out_of_its_piece(piece: &Bytes) -> Bytes {
    let head = piece.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    piece.slice(head..piece.len().saturating_sub(END.len()).max(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_piece_comes_out_of_it() {
        let piece = Bytes::from(in_a_piece(&[b"data: ", b"a\r\nline of its own", b"\n\n"]));
        assert_eq!(piece, "1a\r\ndata: a\r\nline of its own\n\n\r\n");
        assert_eq!(out_of_its_piece(&piece), "data: a\r\nline of its own\n\n");
    }
}
