"""What a document says cannot steer the terminal that shows it."""

import io

from pipeline.commands.terminal import Terminal, harmless


def test_text_that_steers_a_terminal_is_spelt_out():
    assert harmless("a\x1b[31mb\x07\u202ec\td\n\x9be") == "a\\x1b[31mb\\x07\\u202ec\td\n\\x9be"
    kept = "[bold]é € 汉 ➜ 👩\u200d👧[/]"
    assert harmless(kept) == kept


def test_the_console_prints_it_so():
    into = io.StringIO()
    Terminal(file=into, force_terminal=True, width=80).print("\x1b]0;name\x07", markup=False, highlight=False)
    assert into.getvalue() == "\\x1b]0;name\\x07\n"
