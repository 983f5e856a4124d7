//! Whether a topic's regular expression is one: POSIX extended syntax, which is what the client
//! library hands to the C library. Checked here, because the library would only say so when it
//! subscribes.

/// Checks the syntax of `expression`.
///
/// # Errors
/// What is wrong with it.
pub fn check(expression: &str) -> Result<(), String> {
    let mut rest = expression.chars().peekable();
    let mut open = 0_usize;
    // Whether there is something that `*` and its like can repeat.
    let mut has_operand = false;
    while let Some(found) = rest.next() {
        match found {
            '\\' => {
                rest.next().ok_or("it ends with a backslash")?;
                has_operand = true;
            }
            '[' => {
                bracket(&mut rest).ok_or("a [ is not closed")?;
                has_operand = true;
            }
            '(' if rest.peek() == Some(&'?') => {
                return Err("groups that begin with (? are not known to POSIX expressions".into());
            }
            '(' => {
                open += 1;
                has_operand = false;
            }
            ')' => {
                open = open.checked_sub(1).ok_or("a ) has no (")?;
                has_operand = true;
            }
            '*' | '+' | '?' if !has_operand => {
                return Err(format!("there is nothing that {found} could repeat"));
            }
            '{' => interval(&mut rest).ok_or("a { is not closed, or not {m}, {m,} or {m,n}")?,
            '|' | '^' => has_operand = false,
            _ => has_operand = true,
        }
    }
    if open > 0 { Err("a ( is not closed".into()) } else { Ok(()) }
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// The rest of a bracket expression, where a first `]` is an ordinary character.
fn bracket(rest: &mut Rest<'_>) -> Option<()> {
    rest.next_if_eq(&'^');
    rest.next_if_eq(&']');
    loop {
        match rest.next()? {
            ']' => return Some(()),
            '[' if matches!(rest.peek(), Some(':' | '.' | '=')) => {
                let kind = rest.next()?;
                while !(rest.next()? == kind && rest.peek() == Some(&']')) {}
                rest.next()?;
            }
            _ => {}
        }
    }
}

/// The rest of `{m}`, `{m,}`, `{m,n}`.
fn interval(rest: &mut Rest<'_>) -> Option<()> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            '}' => break,
            found => text.push(found),
        }
    }
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(',') {
        None => is_number(&text),
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
    }
    .then_some(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn syntax_is_checked() {
        let check = |expression: &str, is_right: bool| {
            let found = super::check(expression);
            assert_eq!(found.is_ok(), is_right, "{expression}: {found:?}");
        };
        check("^okta-.*", true);
        check("^okta-(prod|test)$", true);
        check("^okta[]_-]x", true);
        check("^okta[[:digit:]]{1,3}", true);
        check(r"^okta\.x+", true);
        check("^okta(", false);
        check("^okta)", false);
        check("^okta[", false);
        check("^okta[[:digit:]", false);
        check("^*okta", false);
        check("^okta(|*)", false);
        check("^(?:okta)", false);
        check("^okta{x}", false);
        check("^okta{1", false);
        check("^okta\\", false);
    }
}
