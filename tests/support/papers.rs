//! What somebody finds on paper and in pictures: words and codes, read from the documents themselves.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

use super::Client;
use super::qr;

impl Client {
    /// A file as it is, with its type and name.
    pub async fn file(&self, path: &str) -> (u16, String, String, Vec<u8>) {
        let response = self.request(reqwest::Method::GET, path).send().await.expect("an answer");
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (status, kind) = (response.status().as_u16(), header("content-type"));
        let name = header("content-disposition");
        (status, kind, name, response.bytes().await.expect("a whole body").to_vec())
    }
}

fn inflated(packed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    ZlibDecoder::new(packed).read_to_end(&mut content).expect("it unpacks");
    content
}

/// What one page says, and the code that is drawn on it.
#[derive(Debug)]
pub struct Sheet {
    pub words: String,
    pub code: String,
}

/// The pages of a document whose cross-reference table leads to every object.
pub fn sheets(pdf: &[u8]) -> Vec<Sheet> {
    assert!(pdf.starts_with(b"%PDF-1."), "it says what it is");
    assert!(pdf.trim_ascii_end().ends_with(b"%%EOF"));
    let text = String::from_utf8_lossy(pdf);
    assert!(text.contains("/WinAnsiEncoding") && text.contains("/MediaBox"));
    let objects = objects(pdf);
    let pages = objects.iter().filter(|object| find(object, b"/Type /Page\n").is_some());
    assert_eq!(pages.count(), objects.iter().filter(|object| find(object, b"stream").is_some()).count());
    let contents = objects.iter().filter_map(|object| stream(object));
    contents.map(|content| Sheet { words: words(&content), code: qr::read(&squares(&content)) }).collect()
}

/// Every object, found as a reader finds it: by the table at the end.
fn objects(pdf: &[u8]) -> Vec<&[u8]> {
    let tail = rfind(pdf, b"startxref").expect("where the table is");
    let number = |text: &[u8]| -> usize { String::from_utf8_lossy(text).trim().parse().expect("a number") };
    let rest = &pdf[tail + 9..];
    let at = number(&rest[..find(rest, b"%%EOF").expect("the end")]);
    let table = &pdf[at..tail];
    assert!(table.starts_with(b"xref\n"));
    let lines = table.split(|byte| *byte == b'\n').skip(2);
    let used = lines.filter(|line| line.len() >= 18 && line.trim_ascii_end().ends_with(b"n"));
    used.map(|line| {
        let object = &pdf[number(&line[..10])..];
        let end = find(object, b"endobj").expect("an object ends");
        assert!(find(&object[..20], b" 0 obj").is_some(), "the table leads to objects");
        &object[..end]
    })
    .collect()
}

fn stream(object: &[u8]) -> Option<Vec<u8>> {
    let from = find(object, b"stream\n")? + 7;
    let to = rfind(object, b"\nendstream")?;
    assert!(find(&object[..from], b"/FlateDecode").is_some());
    Some(inflated(&object[from..to]))
}

fn find(all: &[u8], part: &[u8]) -> Option<usize> {
    all.windows(part.len()).position(|window| window == part)
}

fn rfind(all: &[u8], part: &[u8]) -> Option<usize> {
    all.windows(part.len()).rposition(|window| window == part)
}

/// What is shown, a line each; letters of Latin 1 only, which is all that tests say.
fn words(content: &[u8]) -> String {
    let mut lines = Vec::new();
    for line in content.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b" Tj")) {
        let text = &line[..line.len() - 3];
        let bytes: Vec<u8> = if text.starts_with(b"<") {
            let digits = String::from_utf8_lossy(&text[1..text.len() - 1]).into_owned();
            let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
            (0..digits.len()).step_by(2).map(pair).collect()
        } else {
            let inner = &text[1..text.len() - 1];
            let mut plain = Vec::new();
            let mut escaped = false;
            for &byte in inner {
                escaped = byte == b'\\' && !escaped;
                if !escaped {
                    plain.push(byte);
                }
            }
            plain
        };
        lines.push(bytes.into_iter().map(char::from).collect::<String>());
    }
    lines.join("\n")
}

/// The rectangles as squares. The first row that has any is the code's own top.
fn squares(content: &[u8]) -> Vec<Vec<bool>> {
    let text = String::from_utf8_lossy(content);
    let rectangles: Vec<Vec<usize>> = text
        .lines()
        .filter_map(|line| line.strip_suffix(" re"))
        .map(|line| line.split(' ').map(|number| number.parse().expect("a whole number")).collect())
        .collect();
    let side = rectangles.iter().map(|rectangle| rectangle[1] + 1).max().expect("squares");
    let mut squares = vec![vec![false; side]; side];
    for rectangle in rectangles {
        let [x, y, width, height] = rectangle[..] else { panic!("four numbers") };
        assert_eq!(height, 1);
        squares[side - 1 - y][x..x + width].fill(true);
    }
    squares
}

/// The code that a picture shows: PNG of one bit a dot, unfiltered, whose sums are right.
pub fn code_in_png(png: &[u8]) -> String {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let (mut at, mut side, mut pixels) = (8, 0, Vec::new());
    while at < png.len() {
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four"));
        let length = number(at) as usize;
        let (kind, content) = (&png[at + 4..at + 8], &png[at + 8..at + 8 + length]);
        let mut sum = flate2::Crc::new();
        sum.update(&png[at + 4..at + 8 + length]);
        assert_eq!(sum.sum(), number(at + 8 + length), "the sum of a part");
        match kind {
            b"IHDR" => {
                side = number(at + 8) as usize;
                assert_eq!(number(at + 12) as usize, side);
                assert_eq!(content[8..], [1, 0, 0, 0, 0]);
            }
            b"IDAT" => pixels.extend(inflated(content)),
            b"IEND" => assert_eq!(at + 12, png.len()),
            other => panic!("{other:?}"),
        }
        at += length + 12;
    }
    let line = side.div_ceil(8) + 1;
    let dark = |x: usize, y: usize| pixels[y * line + 1 + x / 8] >> (7 - x % 8) & 1 == 0;
    let left = (0..side).find(|&at| dark(at, at)).expect("a corner");
    let square = (left..side).find(|&at| !dark(at, at)).expect("its ring") - left;
    assert_eq!(left, 4 * square, "four squares of white around");
    let count = side / square - 8;
    let middle = |number: usize| left + number * square + square / 2;
    let row = |y: usize| (0..count).map(|x| dark(middle(x), middle(y))).collect();
    qr::read(&(0..count).map(row).collect::<Vec<Vec<bool>>>())
}

/// The code that a drawing shows, in squares of one square.
pub fn code_in_svg(svg: &str) -> String {
    let path = svg.split("d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
    let mut rectangles = Vec::new();
    for part in path.split('M').filter(|part| !part.is_empty()) {
        let numbers: Vec<usize> = part
            .split(|letter: char| !letter.is_ascii_digit())
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().expect("a number"))
            .collect();
        rectangles.push((numbers[0], numbers[1], numbers[2], numbers[3]));
    }
    let square = rectangles.iter().map(|&(.., height)| height).min().expect("squares");
    let left = rectangles.iter().map(|&(x, ..)| x).min().expect("squares");
    let top = rectangles.iter().map(|&(_, y, ..)| y).min().expect("squares");
    let side = rectangles.iter().map(|&(_, y, ..)| (y - top) / square + 1).max().expect("squares");
    let mut squares = vec![vec![false; side]; side];
    for (x, y, width, height) in rectangles {
        for row in 0..height / square {
            let from = (x - left) / square;
            squares[(y - top) / square + row][from..from + width / square].fill(true);
        }
    }
    qr::read(&squares)
}
