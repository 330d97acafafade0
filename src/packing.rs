//! Bodies that many read, packed once in each coding that readers take.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// How a body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    Gzip,
    Brotli,
}

/// How hard to pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What changes with every seat: packing it must cost less than sending it.
    Brief,
    /// What is read as long as an event lives.
    Thorough,
}

impl Coding {
    /// What `Content-Encoding` says; nothing of a body that travels as it is.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }
}

/// Packs for whoever takes this coding.
#[must_use]
pub fn pack(plain: &Bytes, coding: Coding, effort: Effort) -> Bytes {
    match coding {
        Coding::Plain => plain.clone(),
        Coding::Gzip => gzip(plain, effort),
        Coding::Brotli => brotli(plain, effort),
    }
}

/// Packs as RFC 1952 has it.
#[must_use]
pub fn gzip(plain: &[u8], effort: Effort) -> Bytes {
    let level = match effort {
        Effort::Brief => Compression::fast(),
        Effort::Thorough => Compression::default(),
    };
    let mut packer = GzEncoder::new(Vec::new(), level);
    packer.write_all(plain).and_then(|()| packer.finish()).expect("memory takes what is written").into()
}

/// What was packed by [`gzip`], as it was.
#[must_use]
pub fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut plain).expect("what was packed here unpacks");
    plain
}

/// Packs as RFC 7932 has it.
#[must_use]
pub fn brotli(plain: &[u8], effort: Effort) -> Bytes {
    let quality = match effort {
        Effort::Brief => 2,
        // Higher steps take much longer for little.
        Effort::Thorough => 6,
    };
    let settings =
        ::brotli::enc::BrotliEncoderParams { quality, size_hint: plain.len(), ..Default::default() };
    let mut packed = Vec::new();
    ::brotli::BrotliCompress(&mut &plain[..], &mut packed, &settings).expect("memory takes what is written");
    packed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_carries_the_same_body() {
        for plain in [&b""[..], b"x", include_bytes!("packing.rs")] {
            for effort in [Effort::Brief, Effort::Thorough] {
                let packed = |coding| pack(&Bytes::from_static(plain), coding, effort);
                assert_eq!(packed(Coding::Plain), plain);
                assert_eq!(gunzip(&packed(Coding::Gzip)), plain);
                let mut unpacked = Vec::new();
                ::brotli::BrotliDecompress(&mut &packed(Coding::Brotli)[..], &mut unpacked).unwrap();
                assert_eq!(unpacked, plain);
            }
        }
    }
}
