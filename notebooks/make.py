#!/usr/bin/python3
"""make.py [NOTEBOOK...]: run the notebooks and store their outputs, without what differs from run to run.

All of this folder's without arguments.  The program is found as residuum.py does; result files go to
../results.  A notebook whose cell fails is left as it was.
"""

import pathlib
import sys
import time

import nbclient
import nbformat

here = pathlib.Path(__file__).resolve().parent


def clean(notebook):
    """Numbered cells, what they print in one piece, no times and no version of the interpreter."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{i:02d}"
        cell.metadata = {}
        if cell.cell_type == "code":
            text = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
            cell.outputs = [o for o in cell.outputs if o.output_type != "stream"]
            for output in cell.outputs:
                output.metadata = {}
            if text:
                cell.outputs.insert(0, nbformat.v4.new_output("stream", name="stdout", text=text))


def main(paths):
    for path in paths or sorted(here.glob("*.ipynb")):
        path = pathlib.Path(path)
        notebook = nbformat.read(path, as_version=4)
        begin = time.monotonic()
        nbclient.NotebookClient(notebook, timeout=1800, kernel_name="python3",
                                resources={"metadata": {"path": str(here)}}).execute()
        clean(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - begin:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
