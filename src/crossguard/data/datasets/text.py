"""Datasets of texts: tweets, comments and sentences whose annotations say something of the five labels."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import entries, labelled_lines, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

HARMLESS: Final = dict.fromkeys(HATE.names, 0.0)
STRATA: Final = {True: "hate", False: "none"}


def davidson(raw: Path) -> Iterator[Row]:
    """Yields tweets (Davidson et al., ICWSM 2017); hate is known, its target is not."""
    for entry in entries(raw, "davidson.csv", "labeled_data.csv"):
        stratum = {"0": "hate", "1": "offensive", "2": "neither"}[entry["class"]]
        hateful, text = stratum == "hate", entry["tweet"]
        split = split_by_hash(text, 10)
        yield Row(entry[""], text, "", None, split, {} if hateful else HARMLESS, float(hateful), stratum)


def edos(raw: Path) -> Iterator[Row]:
    """Yields posts of Reddit and Gab (Kirk et al., SemEval 2023); only `sexist` is known, not other hate."""
    splits = {"train": "train", "dev": "val", "test": "test"}
    for entry in entries(raw, "edos.csv", "edos_labelled_aggregated.csv"):
        sexist, split = float(entry["label_sexist"] == "sexist"), splits[entry["split"]]
        stratum = "sexist" if sexist else "none"
        yield Row(entry["rewire_id"], entry["text"], "", None, split, {"sexist": sexist}, sexist or None, stratum)


def ethos(raw: Path) -> Iterator[Row]:
    """Yields hateful comments (Mollas et al., 2020); a label that annotators are divided over is unknown."""
    columns = {
        "racist": ("race", "national_origin"),
        "sexist": ("gender",),
        "homophobe": ("sexual_orientation",),
        "religion": ("religion",),
        "otherhate": ("disability",),
    }
    least, most_of_none = 0.5, 0.2
    for number, entry in enumerate(entries(raw, "ethos_multi_label.csv", "Ethos_Dataset_Multi_Label.csv")):
        shares = {label: max(float(entry[column]) for column in own) for label, own in columns.items()}
        labels = {name: float(share >= least) for name, share in shares.items() if not most_of_none <= share < least}
        yield Row(f"ethos-{number}", entry["comment"], labels=labels, hateful=1.0, stratum="hate")


# The annotation of TweetEval does not say which of its two targets a tweet is about; its words often do.
IMMIGRANTS: Final = re.compile(
    r"immigra|migrant|refugee|border|buildth|wall|illegal|deport|asylum|daca|sendthemback|muslim|islam", re.IGNORECASE
)
WOMEN: Final = re.compile(
    r"\bbitch|whore|\bhoe|women|woman|\bcunt|slut|skank|girl|feminis|\bshe\b|\bher\b|rape|pussy", re.IGNORECASE
)


def tweeteval_hate(raw: Path) -> Iterator[Row]:
    """Yields tweets about immigrants and women (Basile et al., SemEval 2019)."""
    for split, number, text, label in labelled_lines(raw, "tweeteval_hate_{}.txt", "{}.txt"):
        immigrants, women = bool(IMMIGRANTS.search(text)), bool(WOMEN.search(text))
        about = {"racist": 1.0, "sexist": 0.0, "homophobe": 0.0} if immigrants else {"sexist": 1.0}
        known = HARMLESS if not label else about if immigrants != women else {}
        yield Row(f"{split}-{number}", text, "", None, split, known, label, STRATA[bool(label)])


def olid(raw: Path) -> Iterator[Row]:
    """Yields tweets (Zampieri et al., SemEval 2019); an offensive one need not be hateful, a harmless one is not."""
    for split, number, text, label in labelled_lines(raw, "tweeteval_offensive_{}.txt"):
        known, hateful = ({}, None) if label else (HARMLESS, 0.0)
        stratum = "offensive" if label else "none"
        yield Row(f"{split}-{number}", text, "", None, split, {**known, "toxicity": label}, hateful, stratum)


_RACIST: Final = (
    "bla african blaman arab asi asi.east asi.east.chin asi.south asi.south.pak asi.south.thai immig ref for ethmin "
    "hisp mex mix.race trav indig abo ind asiman asy nat.poland nat.germany nat.ireland nat.france nat.russia "
    "nat.wales nat.southafrica nat.israel europe.east"
)
EMOJI_TARGETS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(_RACIST.split(), ("racist",)),
    **dict.fromkeys(("blawom", "asiwom", "indwom", "indigwom", "mexwom"), ("racist", "sexist")),
    **dict.fromkeys(("muswom", "sikhwom"), ("religion", "sexist")),
    **dict.fromkeys(("mus", "jew", "sikh", "hind"), ("religion",)),
    **dict.fromkeys(("gayman", "gaywom", "gay", "lgbtqa", "bis", "trans"), ("homophobe",)),
    **dict.fromkeys(("dis", "wc"), ("otherhate",)),
    "wom": ("sexist",),
}


def hatemoji_build(raw: Path) -> Iterator[Row]:
    """Yields posts with emoji (Kirk et al., NAACL 2022); a target outside the five labels leaves them unknown."""
    for split, name in (("train", "train.csv"), ("val", "validation.csv")):
        for number, entry in enumerate(entries(raw, f"HatemojiBuild_{name}", name)):
            hateful = float(entry["label_gold"])
            labels = _emoji_targets(entry["target"]) if hateful else HARMLESS
            id_ = f"{split}-{entry.get('entry_id', number)}"
            yield Row(id_, entry["text"], "", None, split, labels, hateful, STRATA[bool(hateful)])


def _emoji_targets(target: str) -> dict[str, float]:
    try:
        parsed = ast.literal_eval(target)
    except (ValueError, SyntaxError):
        parsed = [target]
    targets = parsed if isinstance(parsed, list) else [str(parsed)]
    hit = {label for name in targets for label in EMOJI_TARGETS.get(name, ())}
    return {name: float(name in hit) for name in HATE.names} if hit else {}


TOXIGEN_GROUPS: Final = {
    "racist": "asian black chinese immigrant latino mexican middle_east native_american",
    "religion": "jewish muslim",
    "homophobe": "bisexual lgbtq trans",
    "sexist": "women",
    "otherhate": "mental_disability physical_disability",
}


def toxigen(raw: Path) -> Iterator[Row]:
    """Yields the human-written demonstrations of ToxiGen (Hartvigsen et al., ACL 2022)."""
    label_of = {group: label for label, groups in TOXIGEN_GROUPS.items() for group in groups.split()}
    for number, entry in enumerate(entries(raw, "toxigen_demonstrations.csv")):
        hateful, text = entry["label"] == "hate", entry["text"]
        labels = HARMLESS | ({label_of[entry["group"]]: 1.0} if hateful else {})
        split = split_by_hash(text, 25)
        yield Row(f"toxigen-{number}", text, "", None, split, labels, float(hateful), STRATA[hateful])


def stormfront(raw: Path) -> Iterator[Row]:
    """Yields sentences (de Gibert et al., ALW 2018); whom a hateful one attacks is unknown."""
    for entry in entries(raw, "stormfront.csv"):
        stratum, text = {"hate": "hate", "noHate": "none"}.get(entry["label"], ""), entry["text"]
        labels, split = {} if stratum == "hate" else HARMLESS, split_by_hash(text, 10)
        hateful = float(stratum == "hate")
        yield Row(entry["id"], text, "", None, split, labels, hateful, stratum, annotated=bool(stratum))


def misogyny(raw: Path) -> Iterator[Row]:
    """Yields Reddit posts (Guest et al., EACL 2021); the authors' test posts are validation posts here."""
    for number, entry in enumerate(entries(raw, "misogyny_eacl2021.csv")):
        sexist, split = float(entry["level_1"] == "Misogynistic"), {"train": "train", "test": "val"}[entry["split"]]
        id_, stratum = f"{entry['id']}-{number}", STRATA[bool(sexist)]
        yield Row(id_, entry["text"], "", None, split, {"sexist": sexist}, sexist or None, stratum)


def mlma(raw: Path) -> Iterator[Row]:
    """Yields English tweets (Ousidhoum et al., EMNLP 2019) that some annotator calls hateful, or all call normal."""
    # Annotators name the target of most tweets, of harmless ones too.
    targets = {
        "origin": "racist",
        "gender": "sexist",
        "sexual_orientation": "homophobe",
        "religion": "religion",
        "disability": "otherhate",
    }
    for entry in entries(raw, "mlma_en.csv"):
        hateful = "hateful" in entry["sentiment"]
        stratum = "hate" if hateful else "none" if entry["sentiment"] == "normal" else ""
        # What a tweet is worth that some annotator calls hateful: the set is noisy.
        share, label = 0.7 if hateful else 0.0, targets.get(entry["target"])
        labels = HARMLESS if not hateful else {label: share} if label else {}
        text = entry["comment_text"].replace("\\u2019", "'").replace("\\u2026", "...").replace("@URL", "")
        split = split_by_hash(text, 10)
        yield Row(entry["HITId"], text, "", None, split, labels, share, stratum, annotated=bool(stratum))


DATASETS: Final = (
    Dataset("davidson", HATE.names, davidson, "davidson.csv (or labeled_data.csv, its first name)",
            "Davidson et al., ICWSM 2017; MIT",
            "Tweets in African American English are labelled offensive more often (Sap et al., ACL 2019)."),
    Dataset("edos", HATE.names, edos, "edos.csv with rewire_id, text, label_sexist, split",
            "Kirk et al., SemEval 2023; CC0",
            "All annotators are women, by design; posts come from communities known for sexism."),
    Dataset("ethos", HATE.names, ethos, "ethos_multi_label.csv", "Mollas et al., 2020; GPL-3",
            "433 comments, all hateful: no harmless ones to compare with."),
    Dataset("tweeteval-hate", HATE.names, tweeteval_hate,
            "tweeteval_hate_{train,val}_{text,labels}.txt (or TweetEval's own {train,val}_{text,labels}.txt)",
            "Basile et al., SemEval 2019, through TweetEval (Barbieri et al., 2020)",
            "Two targets and few accounts; the target of a hateful tweet is guessed here from its words."),
    Dataset("hatemoji-build", HATE.names, hatemoji_build, "HatemojiBuild_train.csv, HatemojiBuild_validation.csv",
            "Kirk et al., NAACL 2022; CC-BY-4.0",
            "Written to fool a model: harder and cleaner than what people post."),
    Dataset("toxigen", HATE.names, toxigen, "toxigen_demonstrations.csv with text, label, group",
            "Hartvigsen et al., ACL 2022; MIT",
            "Written as prompts for a generator: short, blunt, without context."),
    Dataset("stormfront", HATE.names, stormfront, "stormfront.csv with id, text, label",
            "de Gibert et al., ALW 2018; CC-BY-SA-3.0-ES",
            "Sentences without their context; harmless ones come from the same forum."),
    Dataset("misogyny", HATE.names, misogyny, "misogyny_eacl2021.csv with id, text, level_1, split",
            "Guest et al., EACL 2021; MIT",
            "A post that is not misogynistic may attack others: only `sexist` is known."),
    Dataset("mlma", HATE.names, mlma, "mlma_en.csv with HITId, comment_text, sentiment, target",
            "Ousidhoum et al., EMNLP 2019; MIT",
            "Noisy: sentiments are a mixture of annotators', and many tweets merely hold a slur."),
    Dataset("olid", (*HATE.names, "toxicity"), olid, "tweeteval_offensive_{train,val}_{text,labels}.txt",
            "Zampieri et al., SemEval 2019, through TweetEval (Barbieri et al., 2020)",
            "Offensive includes untargeted profanity; many tweets are about politics in the United States."),
)  # fmt: skip
