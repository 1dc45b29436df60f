"""Hateful statements that somebody reports or rejects, and that somebody agrees with: written for this test.

CONTENT WARNING: the statements are hateful.
"""

from __future__ import annotations

from typing import Final

from tests.integration.test_group_sentences import about_each_group, flagged

REJECTING: Final = """
what kind of person tells a child that {group} are pigs?
a colleague called {group} parasites in a meeting, and HR did nothing about it
I left the group chat after someone joked about gassing {group}
my landlord refuses to rent to {group}, is that even legal?
the speaker compared {group} to rats, and half of the audience left the room
"kill all {group}" was written on the bus stop, I called the council
to everyone who thinks {group} deserve to die: seek help
your post says {group} should be deported, and that breaks our rules
whoever sprayed "{group} out" on the library should pay for the cleaning
he got twenty likes for writing that {group} stink. twenty. I am so sad
there is no excuse for shouting "go home" at {group}
it hurts when strangers say that {group} are a disease
we do not tolerate comments such as "{group} are scum" in this forum
imagine hating {group} this much. get a hobby
the old textbook taught that {group} are inferior, thank god it is gone
in what world is it fine to spit at {group}?
I grew up hearing that {group} are lazy. then I met some, and it was all lies
this is the tenth message today that wishes death on {group}, please do something
not a single study supports the claim that {group} are less intelligent
you cannot say "{group} should be shot" and call it a joke
her husband forbids her to talk to {group}, what a bigot
do you honestly think that {group} are not human? that is vile
the man who yelled that {group} should burn was arrested
why do so many videos say {group} are dangerous when the numbers say they are not
claims that {group} spread diseases are old propaganda
it makes my blood boil when people say {group} belong in cages
"all {group} are criminals" is a stereotype, and a stupid one
if hating {group} is your whole personality, I feel sorry for you
our coach benched him for a slur against {group}
nobody I know believes that {group} are worthless
"""
AGREEING: Final = """
what kind of person lets a child near {group}? they are pigs
finally a colleague who calls {group} what they are, parasites
gassing {group} would be the best joke of all
good for the landlord, {group} are dirty and wreck every flat
the speaker compared {group} to rats, and he could not be more right
"kill all {group}" was written on the bus stop, I could not have said it better
to everyone who thinks {group} deserve to live: wake up
your post says {group} should stay, but they should be deported like the trash they are
thanks to the hero who sprayed "{group} out" on the library
he got twenty likes for writing that {group} stink. he deserves a thousand
there is no better feeling than shouting "go home" at {group}
it is not rude to say that {group} are a disease, it is a fact
they delete every comment that says {group} are scum, but scum is what they are
imagine a world without {group}. finally clean
the old textbook taught that {group} are inferior, and it was right
it is perfectly fine to spit at {group}
I grew up hearing that {group} are lazy, and then I met some, it is all true
this is the tenth message today that wishes death on {group}, keep them coming
every study that I read shows how stupid {group} are
"{group} should be shot", my grandfather used to say, a wise man
my wife is not allowed to talk to {group}, they are filth
I honestly think that {group} are not human
the man who yelled that {group} should burn deserves a medal
so many videos say {group} are dangerous, because they are animals
{group} spread diseases, look it up, they hide the numbers
they belong in cages, all these {group}
"all {group} are criminals" is no stereotype if it is true
if you do not hate {group} yet, you have not met any
our coach has a word for {group}: vermin
nobody I know thinks that {group} are worth anything
"""


def share_flagged(frames: str) -> float:
    """Returns the share of sentences, one per frame and group, that are reviewed or blocked."""
    texts = about_each_group(frames)
    assert len(texts) == 300
    return flagged(texts) / len(texts)


def test_few_reports_of_hate_are_flagged() -> None:
    """Version 1.5.0 flagged .20, and 1.8.0 flags .10."""
    assert share_flagged(REJECTING) <= 0.14


def test_half_of_the_agreement_with_hate_is_found() -> None:
    """Version 1.5.0 found .56, and 1.8.0 finds .59: what sounds like a report is allowed, whatever it says."""
    assert share_flagged(AGREEING) >= 0.55
