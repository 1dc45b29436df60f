"""What a recipe may set. The training block of each model card is a valid recipe as it stands."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel, setting
from crossguard.data.datasets.rows import FIXED
from crossguard.evaluation.sample import ANY
from crossguard.labels import HATE
from crossguard.models.building import BACKBONES
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.normalization import NormalizerName
from crossguard.preprocessing.text import TextSpec

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Rule: TypeAlias = Literal["any", "majority", "votes", "unanimous"]
SINGLE_SCHEME = "labels"
LARGEST_IMAGE = 2048
# Torch takes none above; NumPy takes every `seed`.
LARGEST_SEED = 2**63 - 1


class Source(StrictModel):
    """How one table takes part."""

    table: str | None = setting(
        "Name of its file in the data folder, without the ending; the source's own name when null.", None
    )
    label_schemes: dict[str, Rule] = setting(
        "Which label schemes it teaches, and how its votes become targets there (`targets.py`).",
        default_factory=lambda: {SINGLE_SCHEME: "votes"},
    )
    train_splits: tuple[str, ...] = setting("Which of its splits are trained on.", ("train",))
    cross_validate: bool = setting(
        "Whether a run of one fold holds out that fold of its training posts, and is measured on it.", False
    )
    weight: float = setting("What its loss counts, beside the other sources'.", 1.0, ge=0)
    label_scheme_weights: dict[str, Annotated[float, Field(ge=0)]] = setting(
        "A further factor on that, by label scheme; 1 where not named.", default_factory=dict
    )
    repeat: Annotated[float, Field(ge=0)] | dict[str, Annotated[float, Field(ge=0)]] = setting(
        "How often an epoch draws each of its posts: one number, or one per stratum (0 for one not named).", 1.0
    )
    hateful: dict[str, Share] = setting(
        "Chance that a post is hateful, by stratum, where its annotators do not say: a soft target.",
        default_factory=dict,
    )
    evaluate: bool = setting("Whether its `eval_splits` are measured after each epoch.", True)
    eval_splits: tuple[str, ...] = setting("Which of its splits are measured.", ("val",))
    max_missing_images: Share | None = setting("In place of the recipe's, for this source.", None)


class Recipe(StrictModel):
    """Everything that decides a training run, but the data's place and the machine."""

    description: str = setting("For `crossguard recipes`.", "")
    backend: str = setting("Architecture of the encoders: `clip`, `siglip` or `compact`.", "clip")
    head: Literal["fusion", "mtl"] = setting("`fusion` (one classifier) or `mtl` (one head per output).", "fusion")
    encoder_name: str = setting(
        "Hub id or folder of the pretrained encoders; `packaged` for `compact`; `tiny` for random ones.",
        "openai/clip-vit-base-patch32",
    )
    fusion_dim: Count = setting("Width of the projected and fused features.", 512)
    head_hidden_dim: int = setting("Hidden layer of each `mtl` head; 0 for none.", 0, ge=0)
    learnable_task_weights: bool = setting("Uncertainty weight per `mtl` task (Kendall et al. 2018).", False)
    labels: tuple[str, ...] = setting("What is predicted.", HATE.names)
    label_schemes: tuple[str, ...] = setting(
        "Annotation standards; the model has one output per label and scheme.", (SINGLE_SCHEME,)
    )
    auxiliary: tuple[str, ...] = setting("Label columns that are learned beside and read by no policy.", ())
    max_text_length: int = setting("Tokens at most; SigLIP has 64 positions.", 77, ge=4)
    normalization: NormalizerName = setting("Text normalisation.", "none")
    image_text: Literal["pair", "append", "ignore"] = setting(
        "What to do with the words in an image: a second segment, appended, or ignored.", "append"
    )
    image_size: int = setting("Pixels of height and width.", 224, ge=8, le=LARGEST_IMAGE)
    resize: Literal["squash", "crop"] = setting(
        "`crop` keeps the proportions and takes the centre; `squash` keeps the whole image.", "crop"
    )
    interpolation: Literal["bilinear", "bicubic"] = setting("Filter of the resize.", "bicubic")
    freeze_text: bool = setting("Do not train the text encoder.", False)
    freeze_image: bool = setting("Do not train the image encoder.", False)
    freeze_text_layers: int = setting(
        "Do not train that many first layers of the text encoder, its embeddings included.", 0, ge=0
    )
    freeze_image_layers: int = setting(
        "Do not train that many first layers of the image encoder, its stem included.", 0, ge=0
    )
    gradient_checkpointing: bool = setting(
        "Compute activations again in the backward pass: less memory, more time.", False
    )
    num_train_epochs: Count = setting("Passes over the data.", 6)
    max_steps: Count | None = setting(
        "Stop after this many steps; the learning-rate schedule still spans all epochs. null: train all epochs.", None
    )
    per_device_train_batch_size: Count = setting("Posts per process and step at most.", 32)
    per_device_eval_batch_size: Count = setting("Posts per process and step when measuring.", 64)
    gradient_accumulation_steps: Count = setting("Steps whose gradients are added before the weights change.", 1)
    max_batch_tokens: Count | None = setting(
        "Fewer posts per step when their padded texts would hold more tokens; null for no limit.", None
    )
    group_by_length: bool = setting("Put texts of like length into one batch.", True)
    lr_encoder: Positive = setting("Learning rate of the encoders.", 1e-5)
    lr_head: Positive = setting("Learning rate of everything else.", 5e-4)
    layer_decay: float = setting(
        "Factor on the encoders' rate per layer from the last to the first; 1 for none.", 1.0, gt=0, le=1
    )
    weight_decay: float = setting("Of matrices; biases, norms and embeddings have none.", 0.02, ge=0)
    adam_beta2: float = setting("Decay of AdamW's second moment.", 0.999, gt=0, lt=1)
    max_grad_norm: Positive = setting("Gradients are scaled down to this norm.", 1.0)
    warmup_ratio: Share = setting("Fraction of the steps in which the rates rise.", 0.05)
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = setting("How the rates fall.", "cosine")
    ema_decay: float = setting(
        "Keep a moving average of the weights and use it at the end; 0 for none.", 0.0, ge=0, lt=1
    )
    loss_type: Literal["bce", "focal"] = setting("`bce` or `focal`.", "bce")
    focal_gamma: float = setting("How fast easy posts fade from the focal loss.", 1.5, ge=0)
    pos_weight: Literal["none", "balanced"] | tuple[Positive, ...] = setting(
        "Weight of positive targets: `none`, `balanced` (negatives per positive), or a number per output.", "none"
    )
    pos_weight_cap: Positive = setting("The most that `balanced` gives.", 20.0)
    use_logit_adjustment: bool = setting(
        "Add the log odds of each label's prior to the logits in training (Menon et al. 2021).", False
    )
    union_weight: float = setting(
        'What "hateful, target unknown" counts, through a noisy-or of the outputs.', 0.0, ge=0
    )
    label_smoothing: Share = setting("Targets move this far towards one half.", 0.0)
    weighted_sampling: bool = setting("Draw posts by the effective number of their classes (Cui et al. 2019).", False)
    effective_number_beta: float = setting("That method's beta.", 0.9999, ge=0, lt=1)
    drop_text: Share = setting("Probability of training a post with an image without its text.", 0.0)
    drop_image: Share = setting("Probability of training a post with text without its image.", 0.0)
    distractors: Share = setting("Probability of showing a post without an image beside a harmless post's image.", 0.0)
    mask_tokens: Share = setting("Probability of hiding each token of a text.", 0.0)
    encoder_dropout: Share | None = setting("Dropout inside the text encoder's layers; null leaves its own.", None)
    embedding_dropout: Share | None = setting("Dropout on the text encoder's embeddings; null leaves its own.", None)
    image_dropout: float = setting(
        "Probability of leaving out each feature of a frozen image encoder.", 0.0, ge=0, lt=1
    )
    text_noise: Share = setting(
        "Probability of adversarial augmentation of a text, as people disguise words to evade filters.", 0.0
    )
    dilution: Share = setting("Probability of putting words of a harmless post before or after a text.", 0.0)
    augment: bool = setting("Whether images are changed in training at all.", False)
    aug_scale_min: float = setting("Smallest fraction of an image's area that is kept.", 0.8, gt=0, le=1)
    aug_scale_max: float = setting("Largest fraction of an image's area that is kept.", 1.0, gt=0, le=1)
    horizontal_flip: bool = setting("Mirror half of the images; off by default because it mirrors their words.", False)
    color_jitter: bool = setting("Change brightness, contrast and saturation by up to a fifth.", True)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = setting(
        "`auto` is bf16 where that is faster, else fp32; fp16 needs a GPU.", "auto"
    )
    early_stopping_patience: Count | None = setting(
        "Epochs without a better metric before training stops; null for never.", None
    )
    metric_for_best_model: Literal[
        "roc_macro", "roc_auc_macro", "average_precision_macro", "f1_macro", "f1_micro", "loss"
    ] = setting("Metric that chooses the epoch; `roc_macro` is the cards' name of `roc_auc_macro`.", "roc_auc_macro")
    select_best: bool = setting("Keep the best epoch; else the last.", True)
    aggregation: Rule = setting("How annotators' votes become targets in a recipe without sources.", "any")
    sources: dict[str, Source] = setting(
        "Tables by name, when there are several; each says how its votes become targets.", default_factory=dict
    )
    max_missing_images: Share = setting(
        "Fraction of a table's images that may be missing or broken, what `prepare` lost included.", 0.02
    )
    seed: int = setting("Seed for everything except the initial weights.", 0, ge=0)
    init_seed: int = setting(
        "Seed for the head's initial weights; use the same value for runs that you will average.",
        0,
        ge=0,
        le=LARGEST_SEED,
    )

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        problems = [*self._model_problems(), *self._target_problems()]
        if self.aug_scale_min > self.aug_scale_max:
            problems.append(f"aug_scale_min ({self.aug_scale_min}) is above aug_scale_max ({self.aug_scale_max})")
        if self.cached_size > LARGEST_IMAGE:
            problems.append(
                f"aug_scale_min ({self.aug_scale_min}) needs images of {self.cached_size} pixels to crop from, and "
                f"{LARGEST_IMAGE} are the most; set it higher, or image_size lower"
            )
        if self.drop_text + self.drop_image > 1:
            problems.append("drop_text and drop_image are above 1 together, and no post is trained without both")
        if self.image_dropout and (self.augment or not self.freeze_image):
            problems.append("image_dropout needs freeze_image: true and augment: false")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _model_problems(self) -> list[str]:
        problems = []
        if self.backend not in BACKBONES:
            problems.append(f"backend '{self.backend}' is unknown; known: {', '.join(sorted(BACKBONES))}")
        if self.backend == "siglip" and self.max_text_length > (most := BACKBONES["siglip"].text_length):
            problems.append(f"SigLIP has {most} text positions; max_text_length is {self.max_text_length}")
        if self.head != "mtl" and (self.head_hidden_dim or self.learnable_task_weights):
            problems.append("head_hidden_dim and learnable_task_weights belong to `head: mtl`")
        return problems

    def _target_problems(self) -> list[str]:
        needed = {"labels": self.labels, "label_schemes": self.label_schemes}
        problems = [f"{what} is empty; it needs one name or more" for what, names in needed.items() if not names]
        for what, names in (("labels and auxiliary", self.learnt), ("label_schemes", self.label_schemes)):
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                problems.append(f"{what} name {twice} twice")
        if taken := [name for name in self.learnt if name in FIXED]:
            problems.append(f"{taken} cannot be labels: tables have such a column for something else; rename it there")
        if ANY in self.learnt:
            problems.append(f"a label cannot be called '{ANY}': in reports it is whether a post is hateful; rename it")
        if isinstance(self.pos_weight, tuple) and len(self.pos_weight) != self.num_outputs:
            problems.append(f"pos_weight has {len(self.pos_weight)} numbers for {self.num_outputs} outputs")
        for name, source in self.sources.items():
            taught = (*source.label_schemes, *source.label_scheme_weights)
            if unknown := [scheme for scheme in taught if scheme not in self.label_schemes]:
                problems.append(f"source '{name}' teaches {unknown}; the label schemes are {list(self.label_schemes)}")
        return problems

    @property
    def learnt(self) -> tuple[str, ...]:
        """Label columns that are read."""
        return (*self.labels, *self.auxiliary)

    @property
    def num_outputs(self) -> int:
        """Width of the logits: a block of labels per label_scheme, then the auxiliary outputs."""
        return len(self.labels) * len(self.label_schemes) + len(self.auxiliary)

    @property
    def chooses_epoch(self) -> bool:
        """Whether measures after an epoch decide anything."""
        return self.select_best or self.early_stopping_patience is not None

    @property
    def columns(self) -> dict[str, tuple[int, ...]]:
        """Columns of the logits by label_scheme, one per label."""
        width = len(self.labels)
        return {name: tuple(range(i * width, (i + 1) * width)) for i, name in enumerate(self.label_schemes)}

    @property
    def cached_size(self) -> int:
        """Pixels at which training images are cached, so that the smallest crop needs no enlarging."""
        return round(self.image_size / self.aug_scale_min**0.5) if self.augment else self.image_size

    def text_spec(self, pad_id: int) -> TextSpec:
        """Returns how texts become tokens; the architecture says whether they are padded in full, and masked."""
        architecture = BACKBONES[self.backend]
        return TextSpec(
            max_length=self.max_text_length,
            padding="longest" if architecture.trims_padding else "max_length",
            pad_id=pad_id,
            attention_mask=architecture.reads_attention_mask,
            normalization=self.normalization,
            image_text=self.image_text,
        )

    def image_spec(self, size: int | None = None) -> ImageSpec:
        """Returns how images become pixels; the architecture says how they are normalised."""
        architecture = BACKBONES[self.backend]
        return ImageSpec(
            size=size or self.image_size,
            resize=self.resize,
            interpolation=self.interpolation,
            mean=architecture.mean,
            std=architecture.std,
        )
