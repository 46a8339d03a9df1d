"""Sphinx extension: leave out the scripts of sphinx-thebe, which Jupyter Book always loads.

No page starts a kernel, and the scripts come twice, so each page would log a JavaScript error.
"""


def drop_scripts(app, pagename, templatename, context, doctree):
    def of_thebe(script):
        body = getattr(script, "attributes", {}).get("body") or ""
        return "THEBE_JS_URL" in body or "sphinx-thebe" in str(getattr(script, "filename", script))

    scripts = context.get("script_files", [])
    scripts[:] = [script for script in scripts if not of_thebe(script)]


def setup(app):
    app.connect("html-page-context", drop_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
