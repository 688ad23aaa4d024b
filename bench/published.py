"""The published thresholds of each filter, and pieces of text for the certificate's generated documents."""

from typing import Any

PUBLISHED: dict[str, dict[str, Any]] = {
    "Gopher": {
        "min_num_words": 50, "max_num_words": 100_000, "min_mean_word_length": 3, "max_mean_word_length": 10,
        "max_hash_word_ratio": 0.1, "max_ellipsis_word_ratio": 0.1, "max_bullet_line_frac": 0.9,
        "max_ellipsis_line_frac": 0.3, "min_alpha_word_frac": 0.8, "min_num_stop_words": 2,
    },
    "Repetition": {
        "min_num_chars": 1, "max_dup_line_frac": 0.3, "max_dup_paragraph_frac": 0.3, "max_dup_line_char_frac": 0.2,
        "max_dup_paragraph_char_frac": 0.2, "max_top_2_gram_char_frac": 0.2, "max_top_3_gram_char_frac": 0.18,
        "max_top_4_gram_char_frac": 0.16, "max_dup_5_gram_char_frac": 0.15, "max_dup_6_gram_char_frac": 0.14,
        "max_dup_7_gram_char_frac": 0.13, "max_dup_8_gram_char_frac": 0.12, "max_dup_9_gram_char_frac": 0.11,
        "max_dup_10_gram_char_frac": 0.10,
    },
    "FineWeb": {
        "min_num_lines": 1, "min_line_punct_ratio": 0.12, "max_short_line_ratio": 0.67, "max_char_dup_ratio": 0.01,
        "max_list_ratio": 0.3,
    },
    "C4": {"min_num_sentences": 5, "max_num_lorem_ipsum": 0, "max_num_curly_bracket": 0},
}  # fmt: skip
"""Settings model -> its thresholds as the papers give them."""

PIECES = [
    "the", "be", "to", "of", "and", "that", "have", "with", "The", "bond", "quarter", "Don't", "can’t", "it's", "cannot",
    "U.S.", "Inc.", "e.g.", "10am", "5km", "1,234.56", "$1.23bn", "12%", "US$5", "+1", "well-known", "a--b", "either/or",
    "end.Start", "http://example.com/a?b=c", "me@example.org", "...", "..", ".", ".", ".", "…", "#", "#", "•", "-", "—",
    '"', "'", "’", "(", ")", "[1]", "[edit]", "[citation needed]", "[x]", "{", ",", ";", ":", "?", "!", "*", "|", "@", "/",
    "_", "€", "™", "😀", "e\u0301", "É", "İ", "K", "日本語。", "한국어", "привет", "शब्द।", "ไทย", "١٢", "1", "23", "lorem ipsum",
    "JavaScript", "terms of use", "Privacy Policy", "uses cookies", "x" * 1001,
]  # fmt: skip
SPACES = [" "] * 12 + [
    "\n",
    "\n",
    ".\n",
    ".\n",
    "\n\n",
    "\n\n\n",
    "\r\n",
    "\t",
    "\v",
    "\x85",
    "\u2028",
    "\xa0",
    "  ",
    "",
]
