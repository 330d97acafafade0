//! Text into HTML, for the few pages and letters that are made without a browser.

/// Fills the blanks `{{name}}` of a template, in one pass: what fills one is never taken for another.
#[must_use]
pub fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (blank, rest) = part.split_once("}}").unwrap_or(("", part));
        page.push_str(&value(blank));
        page.push_str(rest);
    }
    page
}

/// Text that stays text, between tags and in attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut page, letter| {
        match letter {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
        page
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_blank_is_never_taken_for_one() {
        let page = fill("a {{x}} b {{y}}", |blank| if blank == "x" { "{{y}}".into() } else { "why".into() });
        assert_eq!(page, "a {{y}} b why");
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("<b a=\"'&'\">"), "&lt;b a=&quot;&#39;&amp;&#39;&quot;&gt;");
    }
}
