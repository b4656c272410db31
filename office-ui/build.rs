//! Puts the templates of the folder into the program.

fn main() {
    minijinja_embed::embed_templates!("templates");
}
