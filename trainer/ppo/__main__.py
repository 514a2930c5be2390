"""`accelerate launch -m posi.trainer.ppo …`: the same command as `posi train ppo`, as a module that can be launched."""

import typer

from ..commands.train import train_ppo

app = typer.Typer(add_completion=False)
app.command()(train_ppo)

if __name__ == "__main__":
    app()
