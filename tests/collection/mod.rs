//! The collection in `docs/bruno`, read as Bruno reads it, and what a call in it says and sends.

pub mod bru;
pub mod call;
pub mod carry;
pub mod schema;

use std::path::{Path, PathBuf};

use self::bru::Sheet;
use self::call::Call;

/// Where the collection is.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bruno")
}

/// Every call, in the order in which Bruno shows and runs them.
pub fn calls() -> Vec<Call> {
    let mut folders: Vec<(u32, PathBuf, String)> = Vec::new();
    for entry in std::fs::read_dir(folder()).expect("the collection") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "environments" {
            let sheet = Sheet::read(&path.join("folder.bru"));
            sheet.has_only(&["meta", "docs"]);
            folders.push((sheet.number("meta", "seq"), path, sheet.value("meta", "name").to_owned()));
        } else {
            let known = ["bruno.json", "collection.bru", "environments"];
            assert!(known.contains(&name.as_str()), "{name} is no part of a collection");
        }
    }
    folders.sort();
    follow_each_other("the folders", folders.iter().map(|(place, ..)| *place));
    let mut calls = Vec::new();
    for (_, path, tag) in folders {
        let files = std::fs::read_dir(&path).expect("a folder").map(|file| file.expect("a file").path());
        let mut own: Vec<_> =
            files.filter(|file| !file.ends_with("folder.bru")).map(|file| Call::read(&file, &tag)).collect();
        own.sort_by_key(|call| call.seq);
        follow_each_other(&tag, own.iter().map(|call| call.seq));
        calls.extend(own);
    }
    calls
}

/// What the environment `dev` sets.
pub fn environment() -> Vec<(String, String)> {
    let sheet = Sheet::read(&folder().join("environments/dev.bru"));
    sheet.has_only(&["vars"]);
    sheet.pairs("vars").iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect()
}

/// A number that is missing or there twice would have Bruno choose the order.
fn follow_each_other(what: &str, places: impl Iterator<Item = u32>) {
    let places: Vec<_> = places.collect();
    let expected: Vec<_> = (1..=u32::try_from(places.len()).expect("few")).collect();
    assert_eq!(places, expected, "the order of {what}");
}
