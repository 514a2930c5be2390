"""The root folder is the package `posi`; its subpackages are the folders with an __init__.py."""

from setuptools import find_packages, setup

INSIDE = ["posi_core*", "posi_webui*", "nodes*", "trainer*"]
DATA = [f"**/*.{ending}" for ending in ("toml", "json", "txt", "css", "js", "html", "svg", "md", "gz")]

packages = [f"posi.{name}" for name in find_packages(".", include=INSIDE)]
package_data = dict.fromkeys(packages, DATA)
package_data["posi"] = ["py.typed", "style.css", "javascript/*", "models/*", "models/*/*"]
package_data["posi.trainer"] = [*DATA, "recipes/**/*"]

setup(packages=["posi", *packages], package_data=package_data)
