//! What a person sees, and what is said when it is something else.

use super::page::Page;

impl Page {
    /// Until this text can be seen somewhere on the page, scrolled to or not. White space does not matter.
    pub async fn sees(&self, text: &str) {
        let wanted = words(text);
        let seen = self.until(async || {
            let visible = self.visible().await?;
            if words(&visible).contains(&wanted) { Ok(()) } else { Err("it cannot be seen".to_owned()) }
        });
        self.must(&format!("sees {text:?}"), seen.await).await;
    }

    /// Until this text can be seen nowhere.
    pub async fn sees_not(&self, text: &str) {
        let unwanted = words(text);
        let gone = self.until(async || {
            let visible = self.visible().await?;
            if words(&visible).contains(&unwanted) { Err("it can be seen".to_owned()) } else { Ok(()) }
        });
        self.must(&format!("does not see {text:?}"), gone.await).await;
    }

    async fn visible(&self) -> Result<String, String> {
        self.try_eval(include_str!("sight.js")).await
    }

    /// What was waited for; in vain, the test fails with the page as it is.
    pub(super) async fn must<T>(&self, what: &str, outcome: Result<T, String>) -> T {
        match outcome {
            Ok(thing) => thing,
            Err(reason) => {
                let picture = self.picture_of_failure().await;
                let path: String = self.try_eval("location.href").await.unwrap_or_default();
                let visible = self.visible().await.unwrap_or_else(|error| error);
                let complaints = self.complaints();
                panic!(
                    "in vain: {what}\n\n{reason}\n\nat {path}, where one sees\n\n{visible}\n\n\
                     complaints: {complaints:#?}\npicture: {picture}"
                )
            }
        }
    }

    async fn picture_of_failure(&self) -> String {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("test").replace("::", ".");
        let file = format!("{}/target/browser/{test}-{}.png", env!("CARGO_MANIFEST_DIR"), std::process::id());
        // What failed is told in any case.
        match self.try_screenshot(file.as_ref()).await {
            Ok(()) => file,
            Err(reason) => format!("none, {reason}"),
        }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
