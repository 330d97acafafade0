//! What CONTRIBUTING says of migrations, held against every one that came after the rules: the version before runs on, and
//! nobody waits for a lock.

use std::collections::HashSet;

/// The last migration that is older than the rules.
const BEFORE_THE_RULES: u32 = 11;

/// The statements of a migration, in lower case on one line each, without comments and quoted text.
fn statements(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let code = code.join("\n").to_lowercase();
    let bare: Vec<&str> = code.split('\'').step_by(2).collect();
    let words = bare.join("''");
    words
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| !statement.is_empty())
        .collect()
}

/// The word after these.
fn after<'a>(statement: &'a str, words: &str) -> Option<&'a str> {
    let rest = statement.split_once(words)?.1.trim_start();
    let rest = rest.strip_prefix("if not exists ").or_else(|| rest.strip_prefix("only ")).unwrap_or(rest);
    rest.split([' ', '(']).next()
}

/// What a migration does that it must not; empty when it keeps the rules.
fn faults(sql: &str) -> Vec<String> {
    let outside = sql.starts_with("-- no-transaction");
    let all = statements(sql);
    let made: HashSet<&str> = all.iter().filter_map(|statement| after(statement, "create table ")).collect();
    let mut faults = Vec::new();
    let mut fault = |statement: &str, why: &str| faults.push(format!("{why}: {statement}"));
    for statement in &all {
        let words = format!(" {statement} ");
        for (word, why) in [
            (" drop ", "the version before still uses what is dropped"),
            (" rename ", "the version before knows it by the old name"),
            (" set not null", "it scans the table under a lock, and the version before may write null"),
            (" truncate ", "nothing is thrown away"),
            (" lock table", "customers wait for it"),
            (" lock_timeout", "the migrator sets it"),
            (" alter type", "the version before reads the old type"),
        ] {
            if words.contains(word) {
                fault(statement, why);
            }
        }
        if words.contains(" alter column ") && words.contains(" type ") {
            fault(statement, "the version before reads the old type");
        }
        for part in statement.split(" add column ").skip(1) {
            let column = part.split(", add ").next().unwrap_or_default();
            if column.contains("not null") && !column.contains("default") {
                fault(statement, "the version before writes rows without it");
            }
            if column.contains(" references ") || column.contains(" unique") || column.contains("primary key")
            {
                fault(statement, "it reads the whole table under a lock");
            }
        }
        let table = after(statement, "alter table ");
        let is_new = table.is_some_and(|table| made.contains(table));
        if statement.contains(" add constraint ")
            && !is_new
            && !statement.ends_with("not valid")
            && !statement.contains(" using index ")
        {
            fault(
                statement,
                "it reads the whole table under a lock: add it not valid, and validate it in the next migration",
            );
        }
        if statement.starts_with("create") && words.contains(" index ") {
            let table = after(statement, " on ").unwrap_or_default();
            if !made.contains(table) && !statement.contains(" index concurrently if not exists ") {
                fault(
                    statement,
                    "nobody can write while it is made: make it concurrently, in a file of its own",
                );
            }
        }
        for (verb, from) in [("update ", "update "), ("delete ", "from "), ("insert ", "into ")] {
            if statement.starts_with(verb)
                && after(statement, from).is_some_and(|table| !made.contains(table))
            {
                fault(
                    statement,
                    "rows of a table in use are changed by the running service, a few at a time",
                );
            }
        }
    }
    let concurrently = all.iter().any(|statement| statement.contains(" concurrently "));
    if concurrently && !(outside && all.len() == 1) {
        faults.push("concurrently takes a first line `-- no-transaction` and a file of its own".to_owned());
    }
    if outside && !concurrently {
        faults.push("only what is made concurrently may be left half done".to_owned());
    }
    faults
}

#[test]
fn every_migration_since_the_rules_keeps_them() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut numbers = HashSet::new();
    for file in std::fs::read_dir(folder).expect("migrations").filter_map(Result::ok) {
        let name = file.file_name().into_string().expect("a name");
        let (number, _) = name.split_once('_').unwrap_or_else(|| panic!("{name} has no number"));
        assert_eq!(number.len(), 4, "{name}");
        let number: u32 = number.parse().expect("a number");
        assert!(numbers.insert(number), "{name}: two have this number");
        if number > BEFORE_THE_RULES {
            let sql = std::fs::read_to_string(file.path()).expect("text");
            let faults = faults(&sql);
            assert!(faults.is_empty(), "{name}:\n{}", faults.join("\n"));
            assert!(sql.contains("-- "), "{name} says no word on what it is for");
        }
    }
    assert!(numbers.len() >= 12);
}

#[test]
fn what_would_stop_the_version_before_is_found() {
    for bad in [
        "alter table orders drop column amount;",
        "drop table offers;",
        "alter table orders rename column amount to price;",
        "alter table orders alter column amount type numeric;",
        "alter table orders add column tax bigint not null;",
        "alter table orders add column seller uuid references accounts (id);",
        "alter table orders alter column request_id set not null;",
        "create index orders_by_amount on orders (amount);",
        "create unique index concurrently orders_by_amount on orders (amount);",
        "-- no-transaction\ncreate index concurrently if not exists a on orders (amount); create table t (id integer);",
        "-- no-transaction\nalter table orders add column tax bigint;",
        "alter table orders add constraint tax_is_paid check (amount > 0);",
        "update orders set amount = 0;",
        "insert into orders select * from orders;",
        "delete from outbox;",
        "lock table orders;",
        "set lock_timeout = '10s';",
    ] {
        assert!(!faults(bad).is_empty(), "{bad}");
    }
}

#[test]
fn no_answer_has_columns_that_a_migration_could_add_to() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
        {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).expect("text");
                // Inside of a statement a star is harmless where the outer select names what it takes.
                let bad = text.contains("returning *")
                    || text.split("\"select * from ").skip(1).any(|table| !table.starts_with('('));
                assert!(!bad, "{}: name the columns", path.display());
            }
        }
    }
}

#[test]
fn what_only_adds_is_let_through() {
    for good in [
        "-- drop is a word here\nalter table orders add column note text not null default 'drop';",
        "create table t (id integer primary key, name text not null); create index t_by_name on t (name);
         insert into t default values;",
        "alter table orders add constraint tax_is_paid check (amount > 0) not valid;",
        "alter table orders validate constraint tax_is_paid;",
        "-- no-transaction\n-- For the list.\ncreate index concurrently if not exists a on orders (amount);",
    ] {
        assert_eq!(faults(good), Vec::<String>::new(), "{good}");
    }
}
