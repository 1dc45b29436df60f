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
    """How one table takes part.

    Attributes:
        table: Name of its file in the data folder, without the ending; the source's own name when None.
        label_schemes: Which label schemes it teaches, and how its votes become targets there (`targets.py`).
        train_splits: Which of its splits are trained on.
        cross_validate: Whether a run of one fold holds out that fold of its training posts, and is measured on it.
        weight: What its loss counts, beside the other sources'.
        label_scheme_weights: A further factor on that, by label scheme; 1 where not named.
        repeat: How often an epoch draws each of its posts: one number, or one per stratum (0 for one not named).
        hateful: The chance that a post is hateful at all, by stratum, where its annotators do not say: a soft target.
        evaluate: Whether its `eval_splits` are measured after each epoch.
        eval_splits: Which of its splits are measured.
    """

    table: str | None = None
    label_schemes: dict[str, Rule] = Field(default_factory=_one_label_scheme)
    train_splits: tuple[str, ...] = ("train",)
    cross_validate: bool = False
    weight: Annotated[float, Field(ge=0)] = 1.0
    label_scheme_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    repeat: Annotated[float, Field(ge=0)] | dict[str, Annotated[float, Field(ge=0)]] = 1.0
    hateful: dict[str, Share] = Field(default_factory=dict)
    evaluate: bool = True
    eval_splits: tuple[str, ...] = ("val",)


class Recipe(StrictModel):
    """Everything that decides a training run, but the data's place and the machine.

    Attributes:
        description: For `crossguard recipes`.
        backend: Family of the encoders: `clip`, `siglip` or `compact`.
        head: `fusion` (one classifier) or `mtl` (one head per output).
        encoder_name: Hub id or folder of the pretrained encoders; `packaged` for `compact`; `tiny` for random ones.
        fusion_dim: Width of the projected and fused features.
        head_hidden_dim: Hidden layer of each `mtl` head; 0 for none.
        learnable_task_weights: Uncertainty weight per `mtl` task (Kendall et al. 2018).
        labels: What is predicted.
        label_schemes: Annotation standards; the model has one output per label and label scheme.
        auxiliary: Label columns that are learned beside and read by no policy.
        max_text_length: Tokens at most; SigLIP has 64 positions.
        normalization: Cleaner of raw text.
        image_text: What to do with words from the picture.
        image_size: Pixels of height and width.
        resize: `crop` or `squash`, as in `ImageSpec`.
        interpolation: `bilinear` or `bicubic`.
        freeze_text: Do not train the text encoder.
        freeze_image: Do not train the image encoder.
        freeze_text_layers: Do not train that many first layers of the text encoder, its embeddings included.
        freeze_image_layers: Do not train that many first layers of the image encoder, its stem included.
        gradient_checkpointing: Compute activations again in the backward pass: less memory, more time.
        num_train_epochs: Passes over the data.
        per_device_train_batch_size: Posts per process and step at most.
        per_device_eval_batch_size: Posts per process and step when measuring.
        gradient_accumulation_steps: Steps whose gradients are added before the weights change.
        max_batch_tokens: Fewer posts per step when their padded texts would hold more tokens; None for no limit.
        group_by_length: Put texts of like length into one batch.
        lr_encoder: Learning rate of the encoders.
        lr_head: Learning rate of everything else.
        layer_decay: Factor on the encoders' rate per layer from the last to the first; 1 for none.
        weight_decay: Of matrices; biases, norms and embeddings have none.
        adam_beta2: Decay of AdamW's second moment.
        max_grad_norm: Gradients are scaled down to this norm.
        warmup_ratio: Share of the steps in which the rates rise.
        lr_scheduler_type: How the rates fall.
        ema_decay: Keep a moving average of the weights and use it at the end; 0 for none.
        loss_type: `bce` or `focal`.
        focal_gamma: How fast easy posts fade from the focal loss.
        pos_weight: Weight of positive targets: `none`, `balanced` (negatives per positive), or a number per output.
        pos_weight_cap: The most that `balanced` gives.
        use_logit_adjustment: Add the log odds of each label's prior to the logits in training (Menon et al. 2021).
        union_weight: What "hateful, target unknown" counts, through a noisy-or of the outputs.
        label_smoothing: Targets move this far towards one half.
        weighted_sampling: Draw posts by the effective number of their classes (Cui et al. 2019).
        effective_number_beta: That method's beta.
        drop_text: Probability of training a post with an image without its text.
        drop_image: Probability of training a post with text without its image.
        distractors: Probability of showing a training post without a picture beside a harmless post's picture.
        mask_tokens: Probability of hiding each token of a text.
        encoder_dropout: Dropout inside the text encoder's layers; None leaves its own.
        embedding_dropout: Dropout on the text encoder's embeddings; None leaves its own.
        text_noise: Probability of disguising words of a text, as people do to evade filters.
        augment: Whether pictures are changed in training at all.
        aug_scale_min: Smallest share of a picture's area that is kept.
        aug_scale_max: Largest share of a picture's area that is kept.
        horizontal_flip: Mirror half of the pictures; off by default because it mirrors their words.
        color_jitter: Change brightness, contrast and saturation by up to a fifth.
        precision: `auto` is bf16 where the machine computes in it, else fp32; fp16 needs a GPU.
        early_stopping_patience: Epochs without a better measure before training stops; None for never.
        metric_for_best_model: Which measure chooses the epoch; `roc_macro` is the cards' name of `roc_auc_macro`.
        select_best: Keep the best epoch; else the last.
        sources: Tables by name, when there are several.
        max_missing_images: Share of a table's pictures that may be missing or broken before training refuses.
        seed: Of everything random but the first weights.
        init_seed: Of the head's first weights; runs whose weights shall be averaged need the same.
    """

    description: str = ""
    backend: str = "clip"
    head: Literal["fusion", "mtl"] = "fusion"
    encoder_name: str = "openai/clip-vit-base-patch32"
    fusion_dim: Count = 512
    head_hidden_dim: Annotated[int, Field(ge=0)] = 0
    learnable_task_weights: bool = False
    labels: tuple[str, ...] = HATE.names
    label_schemes: tuple[str, ...] = (SINGLE_SCHEME,)
    auxiliary: tuple[str, ...] = ()
    max_text_length: Annotated[int, Field(ge=4)] = 77
    normalization: NormalizerName = "none"
    image_text: Literal["pair", "append", "ignore"] = "append"
    image_size: Annotated[int, Field(ge=8, le=2048)] = 224
    resize: Literal["squash", "crop"] = "crop"
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    freeze_text: bool = False
    freeze_image: bool = False
    freeze_text_layers: Annotated[int, Field(ge=0)] = 0
    freeze_image_layers: Annotated[int, Field(ge=0)] = 0
    gradient_checkpointing: bool = False
    num_train_epochs: Count = 6
    per_device_train_batch_size: Count = 32
    per_device_eval_batch_size: Count = 64
    gradient_accumulation_steps: Count = 1
    max_batch_tokens: Count | None = None
    group_by_length: bool = True
    lr_encoder: Positive = 1e-5
    lr_head: Positive = 5e-4
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    adam_beta2: Annotated[float, Field(gt=0, lt=1)] = 0.999
    max_grad_norm: Positive = 1.0
    warmup_ratio: Share = 0.05
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = "cosine"
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    loss_type: Literal["bce", "focal"] = "bce"
    focal_gamma: Annotated[float, Field(ge=0)] = 1.5
    pos_weight: Literal["none", "balanced"] | tuple[Positive, ...] = "none"
    pos_weight_cap: Positive = 20.0
    use_logit_adjustment: bool = False
    union_weight: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Share = 0.0
    weighted_sampling: bool = False
    effective_number_beta: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    drop_text: Share = 0.0
    drop_image: Share = 0.0
    distractors: Share = 0.0
    mask_tokens: Share = 0.0
    encoder_dropout: Share | None = None
    embedding_dropout: Share | None = None
    text_noise: Share = 0.0
    augment: bool = False
    aug_scale_min: Annotated[float, Field(gt=0, le=1)] = 0.8
    aug_scale_max: Annotated[float, Field(gt=0, le=1)] = 1.0
    horizontal_flip: bool = False
    color_jitter: bool = True
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    early_stopping_patience: Count | None = None
    metric_for_best_model: Literal[
        "roc_macro", "roc_auc_macro", "average_precision_macro", "f1_macro", "f1_micro", "loss"
    ] = "roc_auc_macro"
    select_best: bool = True
    sources: dict[str, Source] = Field(default_factory=dict)
    max_missing_images: Share = 0.02
    seed: Annotated[int, Field(ge=0)] = 0
    init_seed: Annotated[int, Field(ge=0)] = 0

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
                problems.append(
                    f"source '{name}' teaches {unknown}, and the label schemes are {list(self.label_schemes)}"
                )
        return problems

    @property
    def num_outputs(self) -> int:
        """Width of the logits: a block of labels per label scheme, then the auxiliary outputs."""
        return len(self.labels) * len(self.label_schemes) + len(self.auxiliary)

    @property
    def chooses_epoch(self) -> bool:
        """Whether measures after an epoch decide anything."""
        return self.select_best or self.early_stopping_patience is not None

    @property
    def columns(self) -> dict[str, tuple[int, ...]]:
        """Columns of the logits by label scheme, one per label."""
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
        """Returns how pictures become pixels; the family says how they are normalised."""
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
