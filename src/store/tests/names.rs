use super::*;

#[tokio::test]
async fn an_alias_means_the_last_thing_it_was_given() {
    alone(|session| {
        session.add_alias("okta", "minted", "first")?;
        session.add_alias("okta", "minted", "real")?;
        session.add_alias("entra", "minted", "other")?;
        assert_eq!(session.alias("okta", "minted")?.as_deref(), Some("real"));
        assert_eq!(session.alias("okta", "nobody")?, None);
        assert!(session.remove_alias("okta", "minted")? && !session.remove_alias("okta", "minted")?);
        assert_eq!(session.alias("entra", "minted")?.as_deref(), Some("other"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn all_aliases_of_a_space_are_shown_once() {
    alone(|session| {
        for number in 0..2500 {
            session.add_alias("okta", &format!("{number:05}"), &number.to_string())?;
        }
        session.add_alias("entra", "x", "y")?;
        let mut seen = Vec::new();
        session.aliases("okta", &mut |given, real| {
            assert_eq!(given.parse::<usize>().unwrap(), real.parse::<usize>().unwrap());
            seen.push(given.to_owned());
        })?;
        assert_eq!(seen.len(), 2500);
        assert!(seen.is_sorted());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn marks_are_set_read_and_forgotten() {
    alone(|session| {
        assert_eq!(session.mark("okta", "filled")?, None);
        session.set_mark("okta", "filled", b"1")?;
        session.set_mark("okta", "filled", b"\0\xff")?;
        assert_eq!(session.mark("okta", "filled")?.as_deref(), Some(&b"\0\xff"[..]));
        assert_eq!(session.mark("entra", "filled")?, None);
        assert!(session.remove_mark("okta", "filled")? && !session.remove_mark("okta", "filled")?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn tokens_are_found_by_hash_revoked_once_and_noted_when_used() {
    alone(|session| {
        let (token, _) = Token::mint("okta", "for Okta", 1, Some(50)).unwrap();
        let (other, _) = Token::mint("entra", "", 2, None).unwrap();
        session.add_token(&token)?;
        session.add_token(&other)?;
        assert!(session.add_token(&token).is_err());
        assert_eq!(session.tokens(None)?, [token.clone(), other.clone()]);
        assert_eq!(session.tokens(Some("entra"))?, [other]);
        assert_eq!(session.token_by_hash(&token.hash)?, Some(token.clone()));
        assert_eq!(session.token_by_hash(&[0; 32])?, None);
        assert!(session.touch_token(&token.id, 9)? && session.revoke_token(&token.id, 10)?);
        assert!(session.revoke_token(&token.id, 11)? && !session.revoke_token("nobody", 11)?);
        let kept = session.token_by_hash(&token.hash)?.unwrap();
        assert_eq!((kept.last_used, kept.revoked), (Some(9), Some(10)));
        Ok(())
    })
    .await;
}

#[test]
fn a_token_is_good_until_it_ends_or_is_revoked_and_its_secret_is_like_no_other() {
    use secrecy::ExposeSecret as _;
    let (token, secret) = Token::mint("okta", "", 1, Some(50)).unwrap();
    assert!(token.is_good(49) && !token.is_good(50));
    assert!(!Token { revoked: Some(1), ..token.clone() }.is_good(49));
    assert!(Token { expires: None, ..token.clone() }.is_good(i64::MAX));
    let (other, other_secret) = Token::mint("okta", "", 1, Some(50)).unwrap();
    assert_ne!(secret.expose_secret(), other_secret.expose_secret());
    assert!(token.id != other.id && token.hash != other.hash);
    let hash = ring::digest::digest(&ring::digest::SHA256, secret.expose_secret().as_bytes());
    assert_eq!(hash.as_ref(), token.hash);
    assert!(!format!("{token:?}").contains("hash"), "{token:?}");
}
