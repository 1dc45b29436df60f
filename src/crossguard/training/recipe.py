"""What a recipe may set. The training block of each model card is a valid recipe as it stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from crossguard.labels import HATE
from crossguard.models.registry import BACKBONES
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.normalization import NormalizerName
from crossguard.preprocessing.text import TextSpec
from crossguard.strict import StrictModel

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Rule: TypeAlias = Literal["any", "majority", "votes", "unanimous"]
SINGLE_SCHEME = "labels"


def _one_label_scheme() -> dict[str, Rule]:
    return {SINGLE_SCHEME: "votes"}


class Source(StrictModel):
    """How one table takes part."""

    table: str | None = Field(
        default=None,
        description="Name of its file in the data folder, without the ending; the source's own name when null.",
    )
    label_schemes: dict[str, Rule] = Field(
        default_factory=_one_label_scheme,
        description="Which label_schemes it teaches, and how its votes become targets there (`targets.py`).",
    )
    train_splits: tuple[str, ...] = Field(default=("train",), description="Which of its splits are trained on.")
    cross_validate: bool = Field(
        default=False,
        description="Whether a run of one fold holds out that fold of its training posts, and is measured on it.",
    )
    weight: float = Field(default=1.0, ge=0, description="What its loss counts, beside the other sources'.")
    label_scheme_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="A further factor on that, by label_scheme; 1 where not named."
    )
    repeat: Annotated[float, Field(ge=0)] | dict[str, Annotated[float, Field(ge=0)]] = Field(
        default=1.0,
        description="How often an epoch draws each of its posts: one number, or one per stratum (0 for one not named).",
    )
    hateful: dict[str, Share] = Field(
        default_factory=dict,
        description="Chance that a post is hateful, by stratum, where its annotators do not say: a soft target.",
    )
    evaluate: bool = Field(default=True, description="Whether its `eval_splits` are measured after each epoch.")
    eval_splits: tuple[str, ...] = Field(default=("val",), description="Which of its splits are measured.")
    max_missing_images: Share | None = Field(default=None, description="In place of the recipe's, for this source.")


class Recipe(StrictModel):
    """Everything that decides a training run, but the data's place and the machine."""

    description: str = Field(default="", description="For `crossguard recipes`.")
    backend: str = Field(default="clip", description="Architecture of the encoders: `clip`, `siglip` or `compact`.")
    head: Literal["fusion", "mtl"] = Field(
        default="fusion", description="`fusion` (one classifier) or `mtl` (one head per output)."
    )
    encoder_name: str = Field(
        default="openai/clip-vit-base-patch32",
        description="Hub id or folder of the pretrained encoders; `packaged` for `compact`; `tiny` for random ones.",
    )
    fusion_dim: int = Field(default=512, ge=1, description="Width of the projected and fused features.")
    head_hidden_dim: int = Field(default=0, ge=0, description="Hidden layer of each `mtl` head; 0 for none.")
    learnable_task_weights: bool = Field(
        default=False, description="Uncertainty weight per `mtl` task (Kendall et al. 2018)."
    )
    labels: tuple[str, ...] = Field(default=HATE.names, description="What is predicted.")
    label_schemes: tuple[str, ...] = Field(
        default=(SINGLE_SCHEME,),
        description="Annotation standards; the model has one output per label and scheme.",
    )
    auxiliary: tuple[str, ...] = Field(
        default=(), description="Label columns that are learned beside and read by no policy."
    )
    max_text_length: int = Field(default=77, ge=4, description="Tokens at most; SigLIP has 64 positions.")
    normalization: NormalizerName = Field(default="none", description="Cleaner of raw text.")
    image_text: Literal["pair", "append", "ignore"] = Field(
        default="append", description="What to do with the words in an image: a second segment, appended, or ignored."
    )
    image_size: int = Field(default=224, ge=8, le=2048, description="Pixels of height and width.")
    resize: Literal["squash", "crop"] = Field(
        default="crop", description="`crop` keeps the proportions and takes the centre; `squash` keeps the whole image."
    )
    interpolation: Literal["bilinear", "bicubic"] = Field(default="bicubic", description="Filter of the resize.")
    freeze_text: bool = Field(default=False, description="Do not train the text encoder.")
    freeze_image: bool = Field(default=False, description="Do not train the image encoder.")
    freeze_text_layers: int = Field(
        default=0, ge=0, description="Do not train that many first layers of the text encoder, its embeddings included."
    )
    freeze_image_layers: int = Field(
        default=0, ge=0, description="Do not train that many first layers of the image encoder, its stem included."
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations again in the backward pass: less memory, more time."
    )
    num_train_epochs: int = Field(default=6, ge=1, description="Passes over the data.")
    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="End there, with the learning rate that the whole plan gives there; None for all epochs.",
    )
    per_device_train_batch_size: int = Field(default=32, ge=1, description="Posts per process and step at most.")
    per_device_eval_batch_size: int = Field(default=64, ge=1, description="Posts per process and step when measuring.")
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, description="Steps whose gradients are added before the weights change."
    )
    max_batch_tokens: Count | None = Field(
        default=None,
        description="Fewer posts per step when their padded texts would hold more tokens; null for no limit.",
    )
    group_by_length: bool = Field(default=True, description="Put texts of like length into one batch.")
    lr_encoder: float = Field(default=1e-5, gt=0, description="Learning rate of the encoders.")
    lr_head: float = Field(default=5e-4, gt=0, description="Learning rate of everything else.")
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Factor on the encoders' rate per layer from the last to the first; 1 for none.",
    )
    weight_decay: float = Field(default=0.02, ge=0, description="Of matrices; biases, norms and embeddings have none.")
    adam_beta2: float = Field(default=0.999, gt=0, lt=1, description="Decay of AdamW's second moment.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="Gradients are scaled down to this norm.")
    warmup_ratio: float = Field(default=0.05, ge=0, le=1, description="Fraction of the steps in which the rates rise.")
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="How the rates fall."
    )
    ema_decay: float = Field(
        default=0.0, ge=0, lt=1, description="Keep a moving average of the weights and use it at the end; 0 for none."
    )
    loss_type: Literal["bce", "focal"] = Field(default="bce", description="`bce` or `focal`.")
    focal_gamma: float = Field(default=1.5, ge=0, description="How fast easy posts fade from the focal loss.")
    pos_weight: Literal["none", "balanced"] | tuple[Positive, ...] = Field(
        default="none",
        description="Weight of positive targets: `none`, `balanced` (negatives per positive), or a number per output.",
    )
    pos_weight_cap: float = Field(default=20.0, gt=0, description="The most that `balanced` gives.")
    use_logit_adjustment: bool = Field(
        default=False,
        description="Add the log odds of each label's prior to the logits in training (Menon et al. 2021).",
    )
    union_weight: float = Field(
        default=0.0, ge=0, description='What "hateful, target unknown" counts, through a noisy-or of the outputs.'
    )
    label_smoothing: float = Field(default=0.0, ge=0, le=1, description="Targets move this far towards one half.")
    weighted_sampling: bool = Field(
        default=False, description="Draw posts by the effective number of their classes (Cui et al. 2019)."
    )
    effective_number_beta: float = Field(default=0.9999, ge=0, lt=1, description="That method's beta.")
    drop_text: float = Field(
        default=0.0, ge=0, le=1, description="Probability of training a post with an image without its text."
    )
    drop_image: float = Field(
        default=0.0, ge=0, le=1, description="Probability of training a post with text without its image."
    )
    distractors: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Probability of showing a post without an image beside a harmless post's image.",
    )
    mask_tokens: float = Field(default=0.0, ge=0, le=1, description="Probability of hiding each token of a text.")
    encoder_dropout: Share | None = Field(
        default=None, description="Dropout inside the text encoder's layers; null leaves its own."
    )
    embedding_dropout: Share | None = Field(
        default=None, description="Dropout on the text encoder's embeddings; null leaves its own."
    )
    image_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Probability of leaving out each feature of a frozen image encoder."
    )
    text_noise: Share = Field(
        default=0.0, description="Probability of disguising a text, as people do to evade filters."
    )
    dilution: Share = Field(
        default=0.0, description="Probability of putting words of a harmless post before or after a text."
    )
    augment: bool = Field(default=False, description="Whether images are changed in training at all.")
    aug_scale_min: float = Field(
        default=0.8, gt=0, le=1, description="Smallest fraction of an image's area that is kept."
    )
    aug_scale_max: float = Field(
        default=1.0, gt=0, le=1, description="Largest fraction of an image's area that is kept."
    )
    horizontal_flip: bool = Field(
        default=False, description="Mirror half of the images; off by default because it mirrors their words."
    )
    color_jitter: bool = Field(default=True, description="Change brightness, contrast and saturation by up to a fifth.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto", description="`auto` is bf16 where the machine computes in it, else fp32; fp16 needs a GPU."
    )
    early_stopping_patience: Count | None = Field(
        default=None, description="Epochs without a better metric before training stops; null for never."
    )
    metric_for_best_model: Literal[
        "roc_macro", "roc_auc_macro", "average_precision_macro", "f1_macro", "f1_micro", "loss"
    ] = Field(
        default="roc_auc_macro",
        description="Metric that chooses the epoch; `roc_macro` is the cards' name of `roc_auc_macro`.",
    )
    select_best: bool = Field(default=True, description="Keep the best epoch; else the last.")
    aggregation: Rule = Field(
        default="any",
        description="How annotators' votes become targets in a recipe without sources.",
    )
    sources: dict[str, Source] = Field(
        default_factory=dict,
        description="Tables by name, when there are several; each says how its votes become targets.",
    )
    max_missing_images: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Fraction of a table's images that may be missing or broken, what `prepare` lost included.",
    )
    seed: int = Field(default=0, ge=0, description="Of everything random but the first weights.")
    init_seed: int = Field(
        default=0, ge=0, description="Of the head's first weights; runs whose weights shall be averaged need the same."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        problems = [*self._model_problems(), *self._target_problems()]
        if self.aug_scale_min > self.aug_scale_max:
            problems.append(f"aug_scale_min ({self.aug_scale_min}) is above aug_scale_max ({self.aug_scale_max})")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _model_problems(self) -> list[str]:
        problems = []
        if self.backend not in BACKBONES:
            problems.append(f"backend '{self.backend}' is unknown; known: {', '.join(sorted(BACKBONES))}")
        if self.backend == "siglip" and self.max_text_length > SIGLIP_LENGTH:
            problems.append(f"SigLIP has {SIGLIP_LENGTH} text positions; max_text_length is {self.max_text_length}")
        if self.head != "mtl" and (self.head_hidden_dim or self.learnable_task_weights):
            problems.append("head_hidden_dim and learnable_task_weights belong to `head: mtl`")
        return problems

    def _target_problems(self) -> list[str]:
        problems = []
        if isinstance(self.pos_weight, tuple) and len(self.pos_weight) != self.num_outputs:
            problems.append(f"pos_weight has {len(self.pos_weight)} numbers for {self.num_outputs} outputs")
        for name, source in self.sources.items():
            unknown = [
                name for name in (*source.label_schemes, *source.label_scheme_weights) if name not in self.label_schemes
            ]
            if unknown:
                problems.append(f"source '{name}' teaches {unknown}; the label schemes are {list(self.label_schemes)}")
        return problems

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

    def text_spec(self, pad_id: int) -> TextSpec:
        """Returns how texts become tokens; the family says whether they are padded in full, and masked."""
        family = BACKBONES[self.backend]
        return TextSpec(
            max_length=self.max_text_length,
            padding="longest" if family.trims_padding else "max_length",
            pad_id=pad_id,
            attention_mask=family.reads_attention_mask,
            normalization=self.normalization,
            image_text=self.image_text,
        )

    def image_spec(self, size: int | None = None) -> ImageSpec:
        """Returns how images become pixels; the family says how they are normalised."""
        family = BACKBONES[self.backend]
        return ImageSpec(
            size=size or self.image_size,
            resize=self.resize,
            interpolation=self.interpolation,
            mean=family.mean,
            std=family.std,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as YAML and JSON hold them."""
        return self.model_dump(mode="json")


SIGLIP_LENGTH = 64
