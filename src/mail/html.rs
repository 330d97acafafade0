//! A sheet as HTML that every mail reader shows: one column, styles at the elements, nothing from elsewhere and nothing
//! that reports who reads.

use std::fmt::Write as _;

use crate::mail::sheet::{PlaceLine, Sheet};
use crate::markup::escaped;

const PAGE: &str = "margin:0;padding:24px 12px;background:#fbfaf7;color:#1c1f1d;\
                    font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const CARD: &str = "max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border:1px solid #d9d6cc;\
                    border-radius:12px";
const TITLE: &str = "margin:24px 0 4px;font-size:20px;line-height:1.25";
const LINE: &str = "margin:0 0 12px";
const QUIET: &str = "margin:0;color:#5a625d";
const TABLE: &str = "width:100%;margin:16px 0;border-collapse:collapse";
const LEFT: &str =
    "padding:10px 0;border-top:1px solid #d9d6cc;text-align:left;vertical-align:top;font-weight:normal";
const RIGHT: &str = "padding:10px 0 10px 12px;border-top:1px solid #d9d6cc;text-align:right;vertical-align:top;white-space:nowrap";
const CODE: &str =
    "display:block;margin-top:4px;font:15px/1.4 Menlo,Consolas,monospace;word-break:break-all;color:#1c1f1d";
const DEADLINE: &str =
    "margin:16px 0;padding:10px 14px;background:#fdf3dc;border-radius:8px;font-weight:bold";
const BUTTON: &str = "display:inline-block;margin:12px 0;padding:12px 20px;border-radius:8px;background:#166534;\
                      color:#ffffff;text-decoration:none;font-weight:bold";
const FOOT: &str = "max-width:560px;margin:16px auto 0;color:#5a625d;font-size:13px;text-align:center";

impl Sheet {
    /// For readers that show more than text.
    #[must_use]
    pub fn html(&self) -> String {
        let mut body = String::new();
        for line in std::iter::once(&self.greeting).chain(&self.lead) {
            let _ = writeln!(body, "<p style=\"{LINE}\">{}</p>", escaped(line));
        }
        if let Some(event) = &self.event {
            let _ = writeln!(body, "<h1 style=\"{TITLE}\">{}</h1>", escaped(&event.title));
            for line in [&event.venue, &event.when] {
                if !line.is_empty() {
                    let _ = writeln!(body, "<p style=\"{QUIET}\">{}</p>", escaped(line));
                }
            }
        }
        body.push_str(&self.table());
        if let Some(deadline) = &self.deadline {
            let _ = writeln!(body, "<p style=\"{DEADLINE}\">{}</p>", escaped(deadline));
        }
        let url = escaped(&self.link.url);
        let label = escaped(self.link.label);
        let _ = writeln!(body, "<p style=\"{LINE}\"><a style=\"{BUTTON}\" href=\"{url}\">{label}</a></p>");
        for note in &self.notes {
            let _ = writeln!(body, "<p style=\"{LINE}\">{}</p>", escaped(note));
        }
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light\">\n<title>{}</title>\n</head>\n\
             <body style=\"{PAGE}\">\n<div style=\"{CARD}\">\n{body}</div>\n<p style=\"{FOOT}\">{}</p>\n</body>\n</html>\n",
            escaped(&self.subject),
            escaped(&self.foot),
        )
    }

    fn table(&self) -> String {
        if self.places.is_empty() && self.sums.is_empty() {
            return String::new();
        }
        let mut rows = String::new();
        for PlaceLine { name, price, code } in &self.places {
            let code = code.as_ref().map(|(label, code)| {
                format!("<span style=\"{CODE}\">{}: {}</span>", escaped(label), escaped(code))
            });
            let _ = writeln!(
                rows,
                "<tr><th scope=\"row\" style=\"{LEFT}\">{}{}</th><td style=\"{RIGHT}\">{}</td></tr>",
                escaped(name),
                code.unwrap_or_default(),
                escaped(price.as_deref().unwrap_or_default()),
            );
        }
        for (name, sum) in &self.sums {
            let _ = writeln!(
                rows,
                "<tr><th scope=\"row\" style=\"{LEFT}\"><b>{}</b></th><td style=\"{RIGHT}\"><b>{}</b></td></tr>",
                escaped(name),
                escaped(sum),
            );
        }
        format!("<table style=\"{TABLE}\">\n{rows}</table>\n")
    }
}
