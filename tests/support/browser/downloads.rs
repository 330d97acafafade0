//! Files that a page hands over.

use std::fs;

use serde_json::json;

use super::page::Page;

/// What Chromium calls a file of which there is more to come.
const UNFINISHED: &str = ".crdownload";

impl Page {
    /// Presses a button, and answers with the name and the text of the file that comes of it.
    pub async fn downloads_by(&self, button: &str) -> (String, String) {
        let folder = self.session.wire().folder().join(uuid::Uuid::new_v4().simple().to_string());
        let place = json!({
            "behavior": "allow", "browserContextId": self.person.context, "downloadPath": folder,
        });
        self.session.wire().call("Browser.setDownloadBehavior", place).await;
        self.click("button", button).await;
        let file = self.until(async || {
            let files = fs::read_dir(&folder).into_iter().flatten().flatten();
            let names: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
            match &names[..] {
                [name] if !name.ends_with(UNFINISHED) => {
                    let text = fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())?;
                    Ok((name.clone(), text))
                }
                names => Err(format!("there is {names:?}")),
            }
        });
        self.must(&format!("downloads by {button:?}"), file.await).await
    }
}
