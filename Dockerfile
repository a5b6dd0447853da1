# pronotum with all extras, without a GPU.
#
#   docker build -t pronotum .
#   docker run --rm -v "$PWD":/data pronotum train wings/ -o wings-run
FROM python:3.11-slim

# torch by itself and first: asked for by another package, pip would take the newest build with all of CUDA.
RUN pip install --no-cache-dir torch==2.13.0

WORKDIR /opt/pronotum
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir ".[all]" && pronotum info

# Not as root; with "docker run --user" files belong to whoever asks.
RUN useradd --create-home biologist
USER biologist
WORKDIR /data
ENTRYPOINT ["pronotum"]
CMD ["--help"]
