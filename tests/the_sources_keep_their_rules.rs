//! Rules that no compiler knows: where secrets are compared, where passwords and signatures are checked, where the one unsafe
//! block is. Read from the sources, so that a new place is a decision and not an accident.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file of the service, with its path below `src/`. The double of Stripe and the mailbox are for development: they
/// hold nobody's secrets.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let named = found.into_iter().map(|path| {
        let name = path.strip_prefix(&root).expect("below it").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("a text"))
    });
    named.collect()
}

/// The lines that are code: no comments, no unit tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

/// The files in whose code these words stand.
fn files_with(words: &str) -> Vec<String> {
    let all = sources();
    let having = all.iter().filter(|(_, text)| code(text).any(|(_, line)| line.contains(words)));
    having.map(|(name, _)| name.clone()).collect()
}

#[test]
fn there_is_one_unsafe_block_in_one_named_place() {
    let mut places = Vec::new();
    for (name, text) in sources() {
        for (number, line) in code(&text) {
            let parts = |letter: char| !letter.is_alphanumeric() && !"_-".contains(letter);
            let words: Vec<_> = line.split(parts).collect();
            if words.contains(&"unsafe") {
                places.push((name.clone(), number, text.clone()));
            }
        }
    }
    let [(name, number, text)] = places.as_slice() else {
        panic!(
            "unsafe stands in {:?}",
            places.iter().map(|(name, number, _)| (name, number)).collect::<Vec<_>>()
        )
    };
    assert_eq!(name, "local/server.rs", "the embedded servers of development, which die with us");
    let above: Vec<_> = text.lines().skip(number - 5).take(4).collect();
    assert!(above.iter().any(|line| line.contains("// SAFETY:")), "it says why it is safe: {above:#?}");
    assert!(above.iter().any(|line| line.contains("#[expect(unsafe_code")), "it is an exception: {above:#?}");
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("a text");
    assert!(manifest.contains("unsafe_code = \"deny\""));
    assert!(files_with("allow(unsafe_code").is_empty());
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md"))
        .expect("a page");
    assert!(page.contains("`src/local/server.rs`"), "docs/security.md names the place");
}

/// Words that secrets go by.
const SECRETS: [&str; 11] = [
    "secret",
    "signature",
    "fingerprint",
    "password",
    "password_hash",
    "token_hash",
    "mac",
    "digest",
    "expose_secret",
    "refresh_token",
    "access_token",
];

/// What is compared by `==` although its name is like a secret's, and why that is no matter.
const NO_SECRETS: [(&str, &str); 3] = [
    ("accounts/passwords.rs", "Some(hash) if hash != NO_PASSWORD => (hash, true)"),
    ("http/openapi.rs", "find(|code| *code == word)"),
    ("payments/mod.rs", "Self::Refused { code, .. } if code == \"idempotency_error\""),
];

/// The words of the operand that ends here, or begins here: `now.ticket.code` is three.
fn operand(text: &str, is_left: bool) -> Vec<&str> {
    let belongs = |letter: char| letter.is_alphanumeric() || "_.:()&*[]?".contains(letter);
    // What a database says of an error is no code of a ticket.
    if text.contains("code()") {
        return Vec::new();
    }
    let text = text.trim();
    let piece = if is_left {
        text.rfind(|letter| !belongs(letter)).map_or(text, |end| &text[end..])
    } else {
        text.find(|letter| !belongs(letter)).map_or(text, |end| &text[..end])
    };
    piece
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

fn compares_a_secret(line: &str) -> bool {
    ["==", "!="].iter().any(|sign| {
        line.match_indices(sign).any(|(at, _)| {
            let sides = [operand(&line[..at], true), operand(&line[at + 2..], false)];
            sides.iter().flatten().any(|word| {
                let word = word.to_lowercase();
                SECRETS.contains(&word.as_str()) || word == "hash" || word == "no_password" || word == "code"
            }) && !sides.iter().flatten().any(|word| ["len", "is_empty", "status", "kind"].contains(word))
        })
    })
}

#[test]
fn the_search_for_comparisons_finds_them() {
    for line in [
        "if earlier.fingerprint != claim.fingerprint {",
        "stored.token_hash == hashed(token)",
        "if secret.expose_secret() == given {",
        "if shown.outdated || now.ticket.code != shown.code {",
        "given == password",
    ] {
        assert!(compares_a_secret(line), "{line}");
    }
    for line in ["if secret.len() != 64 {", "reply == held", "let secrets = many;", "status == 401"] {
        assert!(!compares_a_secret(line), "{line}");
    }
}

#[test]
fn no_secret_is_compared_by_a_sign_that_stops_at_the_first_difference() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        // Doubles for development, which hold nobody's secrets; words of scripts and of Stripe, which are no codes.
        if name.starts_with("sandbox/") || name.starts_with("mailbox/") || name.starts_with("seats/") {
            continue;
        }
        for (number, line) in code(&text).filter(|(_, line)| compares_a_secret(line)) {
            let is_known = NO_SECRETS.iter().any(|(file, known)| name == *file && line.contains(known));
            if !is_known {
                found.push(format!("src/{name}:{number}: {line}"));
            }
        }
    }
    assert!(
        found.is_empty(),
        "compare these with seal::same, or say in NO_SECRETS why not:\n{}",
        found.join("\n")
    );
}

#[test]
fn each_kind_of_proof_is_checked_in_one_place_by_a_library() {
    for (words, places) in [
        // Stripe's signature: hmac compares in constant time.
        (".verify_slice(", &["payments/signature.rs"][..]),
        // Passwords: argon2, for whoever has one and whoever has none.
        ("verify_password(", &["accounts/passwords.rs"]),
        ("to_verify(", &["accounts/passwords.rs"]),
        // Tokens, admissions and places: their algorithm is ours to say.
        ("jsonwebtoken::decode", &["accounts/tokens.rs", "room/admission.rs"]),
        ("Validation::new(ALGORITHM)", &["accounts/tokens.rs", "room/admission.rs"]),
        // Sealed answers and secrets.
        ("open_in_place", &["seal.rs"]),
        ("verify_slices_are_equal", &["seal.rs"]),
    ] {
        assert_eq!(files_with(words), places, "{words}");
    }
    for never in
        ["dangerous::insecure_decode", "insecure_disable_signature_validation", "danger_accept_invalid"]
    {
        assert_eq!(files_with(never), Vec::<String>::new(), "{never}");
    }
}

#[test]
fn random_secrets_are_drawn_from_the_systems_generator() {
    // Seeded or small generators make secrets that can be guessed.
    for never in ["SmallRng", "fastrand", "StdRng::from_seed"] {
        assert_eq!(files_with(never), Vec::<String>::new(), "{never}");
    }
    // Which calls the sandbox fails is to be had again by whoever was given the seed, and is no secret.
    assert_eq!(files_with("seed_from_u64"), ["sandbox/faults.rs"]);
}

#[test]
fn every_dependency_is_from_the_registry_and_under_its_checksum() {
    let lock =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("a text");
    let packages: Vec<&str> = lock.split("[[package]]").skip(1).collect();
    assert!(packages.len() > 200);
    for package in &packages {
        let is_ours = package.contains("name = \"holdfast\"\n");
        let is_registry =
            package.contains("source = \"registry+https://github.com/rust-lang/crates.io-index\"");
        assert!(is_ours || (is_registry && package.contains("checksum = ")), "not from crates.io: {package}");
    }
}

/// What is compiled in from beside the sources is also there where an image is built.
#[test]
fn the_image_is_built_of_what_the_dockerfile_copies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recipe = std::fs::read_to_string(root.join("Dockerfile")).expect("a recipe");
    let build = recipe.split("\nFROM ").nth(1).expect("the first stage builds");
    let copies = build.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied: Vec<PathBuf> = copies
        .flat_map(|words| words.split(' ').filter(|word| *word != "./").map(|word| root.join(word)))
        .collect();
    let mut asked_for = vec![root.join("Cargo.toml"), root.join("Cargo.lock"), root.join("src/main.rs")];
    for (name, text) in sources() {
        let folder = root.join("src").join(&name);
        let folder = folder.parent().expect("a file has a folder");
        for (_, line) in code(&text) {
            let parts = line.split(['"', '(']).collect::<Vec<_>>();
            let included = parts
                .iter()
                .position(|part| part.ends_with("include_str!") || part.ends_with("include_bytes!"));
            if let Some(path) =
                included.and_then(|at| parts[at + 1..].iter().find(|part| part.starts_with("../")))
            {
                let path = folder.join(path.trim_end_matches('"'));
                let up = path.components().fold(PathBuf::new(), |mut up, part| {
                    if part == std::path::Component::ParentDir {
                        up.pop();
                    } else {
                        up.push(part);
                    }
                    up
                });
                asked_for.push(up);
            }
        }
    }
    assert!(asked_for.len() > 5, "scripts and pages are compiled in: {}", asked_for.len());
    for path in asked_for {
        let there = copied.iter().any(|copied| path.starts_with(copied));
        assert!(there, "{} is compiled in, and the Dockerfile does not copy it", path.display());
    }
}

#[test]
fn whoever_calls_out_follows_no_redirect_and_checks_certificates() {
    let mut callers = Vec::new();
    for (name, text) in sources() {
        let code: String = code(&text).map(|(_, line)| line).collect();
        for word in ["danger_accept", "dangerous()", "accept_invalid", "tls_danger"] {
            assert!(!code.contains(word), "{name} takes certificates that nobody vouches for");
        }
        for (at, made) in code.match_indices("Client::builder()") {
            let rest = &code[at + made.len()..];
            assert!(rest.starts_with(".redirect(redirect::Policy::none())"), "{name} follows redirects");
            callers.push(name.clone());
        }
        assert!(!code.contains("Client::new()"), "{name} follows redirects");
    }
    // Stripe, its double, and the systems that are told what happens; the latter are called past every proxy.
    assert_eq!(callers, ["hooks/wire.rs", "payments/stripe.rs", "sandbox/webhooks.rs"]);
    let hooks: String = code(&sources()["hooks/wire.rs"]).map(|(_, line)| line).collect();
    assert!(hooks.contains("Policy::none()).no_proxy()"), "an endpoint is not called by way of a proxy");
}
