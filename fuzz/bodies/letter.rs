//! Letters in the mailbox of `dev`: whatever somebody sends is shown, and reading it makes no more of it.

use holdfast::mailbox::read;

pub fn body(input: &[u8]) {
    let letter = read(input);
    let files: usize = letter.files.iter().map(|file| file.content.len()).sum();
    assert!(files <= input.len(), "{files} bytes of files in a letter of {}", input.len());
    for header in &letter.headers {
        assert!(letter.header(&header.0).is_some(), "{} is not found", header.0);
    }
    assert_eq!(read(input), letter, "read twice, it says the same");
}
