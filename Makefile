PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Debian's packages with the shared libraries that cv2 loads.
CV2_PACKAGES := libgl1 libglib2.0-0
# Those that the tests of the pages of `fdmae view` run in.
BROWSER_PACKAGES := chromium chromium-driver

.PHONY: quickstart install browser test lint clean

# Pre-train and evaluate a small model; DATA=<archive or folder of NW-UCLA> takes that.
quickstart: install
	$(BIN)/python tools/quickstart.py $(if $(DATA),--data "$(DATA)")

install: $(STAMP)

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses=4 --durations=10

# Without one, the tests that need it are skipped.
browser:
	@command -v chromium > /dev/null && command -v chromedriver > /dev/null || { \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	        apt-get update && apt-get install -y $(BROWSER_PACKAGES); \
	    else \
	        echo 'No browser. On Debian: sudo apt-get install -y $(BROWSER_PACKAGES)'; \
	        exit 1; \
	    fi; }

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache

# Half of the time would go into compiling what nobody imports.
$(STAMP): requirements/cpu.txt requirements/mmpose.txt setup.py
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { \
	    rm -rf $(VENV); \
	    echo 'Could not create $(VENV). On Debian or Ubuntu: sudo apt-get install python3-venv'; \
	    exit 1; }
	$(BIN)/pip install --no-compile -r requirements/cpu.txt
	$(BIN)/pip install --no-compile --no-deps -r requirements/mmpose.txt
	@$(BIN)/python -c 'import cv2' 2> $(VENV)/cv2.err || { \
	    cat $(VENV)/cv2.err; \
	    grep -q -E 'lib(GL|glib|gthread)' $(VENV)/cv2.err || exit 1; \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	        apt-get update && apt-get install -y $(CV2_PACKAGES) && $(BIN)/python -c 'import cv2'; \
	    else \
	        echo 'cv2 lacks shared libraries. Run: sudo apt-get install -y $(CV2_PACKAGES)'; \
	        exit 1; \
	    fi; }
	@touch $@
