"""The run: prompts in, updates, checkpoints, validation, and a folder that shows what happened."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...posi_core.errors import PosiError
from ..rewards.protocol import Reward
from ..run_folder import write_run
from . import checkpoint, report
from .config import PPOConfig
from .formulas import AdaptiveKL, guided_gains, leave_one_out, most_telling
from .guidance import Guidance
from .policy import PolicyWithValue, RolloutModel
from .rollout import sample, select
from .setup import Parts, tokenize
from .step import update


@cache
def _order(count: int, epoch: int, seed: int) -> list[int]:
    order = list(range(count))
    random.Random(f"{seed}-{epoch}").shuffle(order)
    return order


def batch_of(prompts: Sequence[str], step: int, size: int, seed: int) -> list[str]:
    """The prompts of a step, shuffled anew each epoch: a function of its arguments, so a resumed run agrees."""
    places = (divmod(index, len(prompts)) for index in range(step * size, (step + 1) * size))
    return [prompts[_order(len(prompts), epoch, seed)[place]] for epoch, place in places]


class PPORun:
    """One training run in `folder`. `train` resumes from the folder's newest checkpoint when there is one."""

    def __init__(
        self,
        config: PPOConfig,
        folder: Path,
        parts: Parts,
        reward: Reward,
        prompts: Sequence[str],
        validation: Sequence[str],
        accelerator: Any,
    ) -> None:
        if not prompts:
            raise PosiError(
                f"no prompts to train on in {config.prompts}; give a file with one 'prompt' a line"
            )
        self.config = config
        self.folder = folder
        self.tokenizer = parts.tokenizer
        self.template = parts.template
        self.stop = parts.stop
        self.reward = reward
        self.prompts = [text for text in prompts if self._fits(text)]
        self.too_long = len(prompts) - len(self.prompts)
        if not self.prompts:
            raise PosiError(
                f"all prompts in {config.prompts} are longer than max_prompt_tokens = {config.max_prompt_tokens}"
            )
        self.validation = list(validation)[: config.validation_prompts]
        self.accelerator = accelerator
        self.guidance = (
            Guidance(reward, parts.tokenizer, parts.policy.config.vocab_size, config.samples, config.guided)
            if config.guided
            else None
        )
        self.policy = PolicyWithValue(parts.policy)
        self.rollouts = RolloutModel(parts.policy, parts.rollouts)
        self.controller = AdaptiveKL(config.kl_weight, config.kl_target, config.kl_horizon)
        trainable = [value for value in self.policy.parameters() if value.requires_grad]
        self.optimizer = torch.optim.AdamW(trainable, lr=config.learning_rate, weight_decay=0.0)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, _warmup_cosine(config))
        self.best = float("-inf")
        self.done = 0

    def _fits(self, prompt: str) -> bool:
        """A policy that is given a part of a prompt would be charged for losing the rest."""
        whole = tokenize(self.tokenizer, self.template, prompt, sys.maxsize)
        return whole == tokenize(self.tokenizer, self.template, prompt, self.config.max_prompt_tokens)

    def train(self) -> dict[str, float]:
        """Run to `config.steps`; returns the last validation's means (empty without validation prompts)."""
        config, accelerator = self.config, self.accelerator
        torch.manual_seed(config.seed + accelerator.process_index)
        if accelerator.is_main_process:
            write_run(
                self.folder,
                config,
                processes=accelerator.num_processes,
                prompts=len(self.prompts),
                too_long=self.too_long,
            )
        newest = checkpoint.latest(self.folder / "checkpoints")
        model: Any = accelerator.prepare_model(self.policy)
        if newest is not None:
            self.done, self.best = checkpoint.load(
                newest,
                self.policy,
                self.optimizer,
                self.scheduler,
                self.controller,
                accelerator.process_index,
            )
        log = report.RunLog(self.folder, self.done, enabled=accelerator.is_main_process)
        last: dict[str, float] = {}
        with log, _progress(accelerator.is_main_process) as bar:
            task = bar.add_task("ppo", total=config.steps, completed=self.done, note="")
            if self.done == 0:
                last = self._validate(log)
            while self.done < config.steps:
                statistics = self._step(model)
                self.done += 1
                log.write(self.done, statistics)
                bar.update(
                    task, advance=1, note=f"score {statistics['score']:.3f}  kl {statistics['kl']:.2f}"
                )
                end = self.done == config.steps
                if end or self.done % config.validate_every == 0:
                    last = self._validate(log)
                if end or self.done % config.save_every == 0:
                    self._save()
        return last

    def _step(self, model: Any) -> dict[str, float]:
        config, accelerator = self.config, self.accelerator
        batch = batch_of(self.prompts, self.done, config.batch, config.seed)
        mine = batch[accelerator.process_index :: accelerator.num_processes]
        self.rollouts.sync()
        banned = None
        if self.guidance is not None:
            seed = f"{config.seed}-{self.done}-{accelerator.process_index}"
            banned = self.guidance.ban(mine, seed).to(accelerator.device)
        rollout = sample(
            self.rollouts.model,
            self.tokenizer,
            [tokenize(self.tokenizer, self.template, text, config.max_prompt_tokens) for text in mine],
            config,
            self.stop,
            samples=config.samples,
            banned=banned,
        )
        judged = self.reward([text for text in mine for _ in range(config.samples)], rollout.texts)
        unfinished = torch.tensor([0.0 if done else 1.0 for done in rollout.finished])
        scores = torch.from_numpy(judged.scores) - config.unfinished_penalty * unfinished
        free = torch.ones(len(scores), dtype=torch.bool)
        if banned is not None and config.guided < config.samples:
            free = ~banned.any(1).cpu()
            gains = guided_gains(scores, ~free, config.samples)
        else:
            gains = leave_one_out(scores, config.samples) if config.group_baseline else scores
        learning = rollout
        if config.learn_from:
            telling = most_telling(gains, config.samples, config.learn_from)
            gains, learning = gains[telling], select(rollout, telling.to(rollout.mask.device))
        statistics = update(
            model,
            self.policy,
            self.optimizer,
            learning,
            gains.to(rollout.mask.device),
            self.controller.weight,
            config,
            accelerator,
        )
        statistics["learning_rate"] = float(self.scheduler.get_last_lr()[0])
        self.scheduler.step()
        statistics["score"] = float(scores[free].mean())  # of the policy's own answers
        statistics["unfinished"] = float(unfinished.mean())
        statistics["answer_tokens"] = float(rollout.mask.sum(1).mean())
        statistics.update(
            {f"reward/{name}": float(part[free.numpy()].mean()) for name, part in judged.parts.items()}
        )
        statistics = self._average(statistics)
        if config.kl_target > 0:
            self.controller.update(statistics["kl"], config.batch * config.samples)
        return statistics

    def _average(self, statistics: dict[str, float]) -> dict[str, float]:
        """Means over processes; every process then steers its KL weight by the same figure."""
        if self.accelerator.num_processes == 1:
            return statistics
        names = sorted(statistics)
        values = torch.tensor([statistics[name] for name in names], device=self.accelerator.device)
        return dict(zip(names, self.accelerator.reduce(values, "mean").tolist(), strict=True))

    @torch.no_grad()
    def _validate(self, log: report.RunLog) -> dict[str, float]:
        """Greedy rewrites of the validation prompts; a better mean score also keeps the adapter in `best/`."""
        if not self.validation or not self.accelerator.is_main_process:
            self.accelerator.wait_for_everyone()
            return {}
        self.rollouts.sync()
        texts: list[str] = []
        finished: list[bool] = []
        size = max(16, self.config.batch)
        for start in range(0, len(self.validation), size):
            part = self.validation[start : start + size]
            ids = [
                tokenize(self.tokenizer, self.template, text, self.config.max_prompt_tokens) for text in part
            ]
            rollout = sample(self.rollouts.model, self.tokenizer, ids, self.config, self.stop, greedy=True)
            texts += rollout.texts
            finished += rollout.finished
        judged = self.reward(self.validation, texts)
        penalty = self.config.unfinished_penalty * (1.0 - sum(finished) / len(finished))
        means = {"score": float(judged.scores.mean()) - penalty}
        means.update({f"reward/{name}": float(part.mean()) for name, part in judged.parts.items()})
        log.validation(self.done, means, self.validation, texts, judged)
        if means["score"] > self.best:
            self.best = means["score"]
            self.policy.lm.save_pretrained(str(self.folder / "best"))
            (self.folder / "best" / "validation.json").write_text(
                json.dumps({"step": self.done, **means}, indent=1)
            )
        self.accelerator.wait_for_everyone()
        return means

    def _save(self) -> None:
        states = self._rng_states()
        if self.accelerator.is_main_process:
            checkpoint.save(
                self.folder / "checkpoints",
                self.done,
                self.policy,
                self.optimizer,
                self.scheduler,
                self.controller,
                self.best,
                states,
            )
            self.policy.lm.save_pretrained(str(self.folder / "adapter"))
            report.plot(self.folder)
        self.accelerator.wait_for_everyone()

    def _rng_states(self) -> list[torch.Tensor]:
        state = checkpoint.generators()
        if self.accelerator.num_processes == 1:
            return [state]
        gathered = self.accelerator.gather(state.to(self.accelerator.device)[None].contiguous())
        return [row.cpu() for row in gathered]


def _warmup_cosine(config: PPOConfig) -> Any:
    def factor(step: int) -> float:
        if step < config.warmup_steps:
            return (step + 1) / (config.warmup_steps + 1)
        share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
        return 0.1 + 0.45 * (1.0 + math.cos(math.pi * min(share, 1.0)))

    return factor


def _progress(enabled: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        disable=not enabled,
    )
