"""A training run, as a loop on accelerate.

Why not the Hugging Face Trainer: batches by token budget from weighted sources, a class-balanced draw that is the same
in every process, and a resume that is exact to the bit need their own data order, and that is most of what it brings.
accelerate brings the rest: devices, mixed precision, several processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from crossguard.errors import ConfigError
from crossguard.models.gated import GatedModel
from crossguard.models.loading import whole_weights
from crossguard.training.batches import Batcher, Tensors
from crossguard.training.devices import Precision, build_accelerator, precision_note, workers
from crossguard.training.forks import load_batches
from crossguard.training.image_features import known_features
from crossguard.training.log import RunLog
from crossguard.training.measure import chosen, measure_outputs
from crossguard.training.objective import Objective
from crossguard.training.optimizer import build_optimizer, choose_attention, learning_rates, rate_factor
from crossguard.training.recipe import Recipe
from crossguard.training.sampling import Micro, Step, plan_epoch
from crossguard.training.state import BEST, RunIdentity, RunState, read_saved
from crossguard.training.targets import Floats


class Trainer:
    """Holds what a run changes; `run` is the story."""

    def __init__(
        self,
        recipe: Recipe,
        model: GatedModel,
        train: Batcher,
        measured: Batcher,
        folder: Path,
        *,
        began: Precision | None = None,
    ) -> None:
        """Prepares a run; `began` is the precision of one that goes on."""
        self.recipe = recipe
        self.train = train
        self.measured = measured
        self.folder = folder
        self.accelerator = build_accelerator(recipe, began)
        self.processes = self.accelerator.num_processes
        self.gpu = self.accelerator.device.type == "cuda"
        self.workers = workers(self.accelerator)
        posts = f"{train.fingerprint()} {measured.fingerprint()}"
        self.identity = RunIdentity(recipe.model_dump(mode="json"), posts, self.processes)
        self.steps_per_epoch = [len(self._plan(epoch)) for epoch in range(recipe.num_train_epochs)]
        choose_attention(model, self.accelerator.device.type)
        objective = Objective(model, recipe, train.examples.targets)
        optimizer = build_optimizer(model, recipe)
        self.objective = objective
        self.wrapped, self.optimizer = self.accelerator.prepare(objective, optimizer)
        self._images_known = not recipe.freeze_image or recipe.augment
        scheduler = LambdaLR(optimizer, rate_factor(recipe, sum(self.steps_per_epoch)))
        average = {name: w.detach().clone() for name, w in model.state_dict().items()} if recipe.ema_decay else None
        self.state = RunState(model, optimizer, scheduler, self.accelerator.scaler, average)
        self.state.precision = self.accelerator.mixed_precision

    def run(self, *, resume: bool = False, save_every: int | None = None) -> tuple[dict[str, float], Floats]:
        """Trains.

        Returns:
            The measures of the weights that the model ends with, and their logits of the measured posts.
        """
        if resume:
            self.state.load(self.folder, self.identity)
            self._best_weights()  # so that what is missing is told before training
        self._know_images()
        progress = self.state.progress
        steps, done = self._last_step, (progress.total_steps, progress.epoch)
        with RunLog(self.folder, steps, done=done, active=self.accelerator.is_main_process) as log:
            self._tell(log)
            for epoch in range(progress.epoch, self.recipe.num_train_epochs):
                if progress.finished:
                    break
                for step in self._steps(epoch):
                    values = self._train_step(step)
                    log.step(progress.total_steps, epoch, values)
                    if save_every and progress.total_steps % save_every == 0:
                        self._save()
                self.train.texts.forget(epoch)
                self._end_epoch(epoch, log)
                self._save()
            return self._finish(log)

    @property
    def _last_step(self) -> int:
        whole = sum(self.steps_per_epoch)
        return min(whole, self.recipe.max_steps or whole)

    def _tell(self, log: RunLog) -> None:
        """Says where this machine makes another run of the recipe than the recipe itself says."""
        recipe = self.recipe
        if note := precision_note(recipe, self.accelerator.mixed_precision, self.accelerator.device.type):
            log.note(note)
        if self.processes > 1:
            alone = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
            log.note(
                f"{self.processes} processes: a step adds the gradients of up to {alone * self.processes} posts, where "
                f"one process adds those of {alone}. Learning rates are not scaled; for the same steps as one process, "
                f"divide gradient_accumulation_steps ({recipe.gradient_accumulation_steps}) by {self.processes}."
            )

    def train_epoch(self, epoch: int) -> None:
        """Trains for one epoch, without measuring or saving."""
        self._know_images()
        self.state.progress.step = 0
        for step in self._steps(epoch):
            self._train_step(step)

    def predict(self, batcher: Batcher) -> Floats:
        """Returns logits, float32 (n, outputs), of the weights as they are, computed in float32."""
        self._know_images()
        self.objective.eval()
        own = []
        plan = self._evaluation_batches(batcher)
        with torch.no_grad(), torch.autocast(self.accelerator.device.type, enabled=False):
            batches = load_batches(batcher.evaluation, plan, self.workers, pin=self.gpu)
            for rows, batch in zip(plan, batches, strict=True):
                own.append((rows, self.objective.logits(batch.to(self.accelerator.device)).cpu().numpy()))
        logits = np.zeros((len(batcher.examples), self.recipe.num_outputs), dtype=np.float32)
        for rows, values in gather_object(own):
            logits[rows] = values
        return logits

    def _know_images(self) -> None:
        """Computes what a frozen encoder says of images, once: not before a state is loaded, which may hold another."""
        if self._images_known:
            return
        for batcher in (self.train, self.measured):
            batcher.use_features(known_features(self.objective, batcher, self.recipe.per_device_eval_batch_size))
        self._images_known = True

    def _steps(self, epoch: int) -> Iterator[list[tuple[int, Tensors]]]:
        """Yields what is left of an epoch: this process's batches of each step, each with its random seed."""
        most = self.recipe.max_steps
        left = None if most is None else max(0, most - self.state.progress.total_steps)
        steps = self._plan(epoch)[self.state.progress.step :][:left]
        own = [list(enumerate(step.batches))[self.accelerator.process_index :: self.processes] for step in steps]
        plan = [rows for step in own for _, rows in step]
        batches = load_batches(partial(self.train.training, epoch=epoch), plan, self.workers, pin=self.gpu)
        for step, mine in zip(steps, own, strict=True):
            # Dropout, like everything random here, follows from where in the run it happens.
            seeds = [hash((self.recipe.seed, epoch, step.first + place)) for place, _ in mine]
            yield [(seed, next(batches)) for seed in seeds]

    def _plan(self, epoch: int) -> list[Step]:
        lengths_of = partial(self.train.texts.lengths_in, epoch)
        return plan_epoch(self.recipe, self.train.examples, lengths_of, epoch, self.processes)

    def _train_step(self, own: list[tuple[int, Tensors]]) -> dict[str, float]:
        self.objective.train()
        total = 0.0
        for number, (seed, batch) in enumerate(own, start=1):
            torch.manual_seed(seed)
            with nullcontext() if number == len(own) else self.accelerator.no_sync(self.wrapped):
                moved = batch.to(self.accelerator.device)
                with self.accelerator.autocast():
                    loss = self.wrapped(moved)
                self.accelerator.backward(loss / len(own))
                total += float(loss.detach()) / len(own)
        loss_of_all = float(self.accelerator.reduce(torch.tensor(total, device=self.accelerator.device), "mean"))
        self._refuse_divergence(loss_of_all)
        norm = self.accelerator.clip_grad_norm_(self.objective.parameters(), self.recipe.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        rates = learning_rates(self.state.optimizer)
        self.state.scheduler.step()
        self._average()
        self.state.progress.step += 1
        self.state.progress.total_steps += 1
        return {"loss": loss_of_all, "grad_norm": 0.0 if norm is None else float(norm), **rates}

    def _refuse_divergence(self, loss: float) -> None:
        # Of the loss alone: a gradient that is no number is usual in fp16, and its scaler leaves out the step.
        if not np.isfinite(loss):
            raise ConfigError(
                f"The loss is no number any more in step {self.state.progress.total_steps + 1} of the run: training "
                "diverged. Set lr_head and lr_encoder lower, or precision to fp32, and train again."
            )

    def _average(self) -> None:
        # torch's AveragedModel would be a second model in memory with a state of its own to save and to load.
        average = self.state.average
        if average is None:
            return
        with torch.no_grad():
            for name, weight in self.state.model.state_dict().items():
                if weight.is_floating_point():
                    average[name].lerp_(weight, 1 - self.recipe.ema_decay)

    def _end_epoch(self, epoch: int, log: RunLog) -> None:
        progress = self.state.progress
        progress.epoch, progress.step = epoch + 1, 0
        progress.finished = progress.total_steps >= self._last_step
        if not self.recipe.chooses_epoch:
            return
        measures, _ = self._measure()
        log.metrics(progress.total_steps, epoch, measures)
        value = chosen(self.recipe, measures)
        if np.isnan(progress.best) or value > progress.best:
            progress.best, progress.best_epoch, progress.stale_epochs = value, epoch, 0
            if self.accelerator.is_main_process:
                self._write_best()
        else:
            progress.stale_epochs += 1
        patience = self.recipe.early_stopping_patience
        progress.finished |= patience is not None and progress.stale_epochs >= patience

    def _measure(self) -> tuple[dict[str, float], Floats]:
        with _averaged(self.state):
            logits = self.predict(self.measured)
        return measure_outputs(self.recipe, self.measured.examples, logits), logits

    def _write_best(self) -> None:
        weights = self.state.average or self.state.model.state_dict()
        with whole_weights(self.folder / BEST) as unfinished:
            torch.save(dict(weights), unfinished)

    def _best_weights(self) -> dict[str, Tensor] | None:
        """Returns those that the run is to end with; None for the last ones."""
        chosen = self.recipe.select_best and self.state.progress.best_epoch >= 0
        return read_saved(self.folder / BEST) if chosen else None

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            self.state.save(self.folder, self.identity)
        self.accelerator.wait_for_everyone()

    def _finish(self, log: RunLog) -> tuple[dict[str, float], Floats]:
        """Leaves the model with the weights of the best epoch, or of the last."""
        progress = self.state.progress
        last = progress.epoch - 1
        best = self._best_weights()
        if best is not None:
            self.state.model.load_state_dict(best)
            last = progress.best_epoch
        elif self.state.average is not None:
            self.state.model.load_state_dict(self.state.average)
        self.state.average = None
        measures, logits = self._measure()
        # Where nothing can be measured, the last epoch is kept, and is the best of none.
        best_of = 1 if best is None or np.isnan(progress.best) else progress.epoch
        log.metrics(progress.total_steps, last, measures, final=True, best_of=best_of)
        return measures, logits

    def _evaluation_batches(self, batcher: Batcher) -> list[Micro]:
        order = np.argsort(batcher.texts.lengths, kind="stable")
        size = self.recipe.per_device_eval_batch_size
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        return batches[self.accelerator.process_index :: self.processes]


@contextmanager
def _averaged(state: RunState) -> Iterator[None]:
    """Puts the averaged weights, if there are any, in place of the trained ones for a while."""
    if state.average is None:
        yield
        return
    own = {name: weight.clone() for name, weight in state.model.state_dict().items()}
    state.model.load_state_dict(state.average)
    try:
        yield
    finally:
        state.model.load_state_dict(own)
