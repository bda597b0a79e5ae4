"""Installs fdmae_mm; a wheel also carries the configs and tools that MIM runs."""

import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithMIM(build_py):
    """Copy what ``mim train|test|search fdmae_mm`` needs into ``fdmae_mm/.mim``.

    An editable install gets no copy: MIM does not find one there, and a copy inside
    of the source tree would go stale.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'fdmae_mm' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        for folder in ('configs', 'tools'):
            shutil.copytree(
                ROOT / folder,
                target / folder,
                ignore=shutil.ignore_patterns('__pycache__'),
            )
        shutil.copy(ROOT / 'model-index.yml', target)


# What each optional part of the package imports.
PARTS = {
    'view': ['plotly'],
    'plot': ['scikit-learn'],
    'export': ['onnx', 'onnxscript', 'onnxruntime', 'safetensors'],
    # And `pip install --no-deps mmpose==1.3.2`: it requires what no CPU needs (chumpy,
    # which does not build, xtcocotools, torchvision), and none of that is imported.
    'pose': ['json_tricks', 'munkres', 'six', 'pycocotools'],
    'tensorboard': ['tensorboard'],
    'mim': ['openmim==0.3.9'],
}
ALL = [requirement for part in PARTS.values() for requirement in part]
DOCS = ['mkdocs-material', 'mkdocstrings[python]']
TEST = ['pytest', 'pytest-xdist', 'ruff==0.17.6', 'selenium', *ALL, *DOCS]

setup(
    name='fdmae_mm',
    version=runpy.run_path(str(ROOT / 'fdmae_mm' / 'version.py'))['__version__'],
    description='Frequency decoupled masked auto-encoders for skeletons, on MMAction2',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords='skeleton action recognition, self-supervised learning, MMAction2',
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=['fdmae_mm', 'fdmae_mm.*']),
    package_data={'fdmae_mm.visualization': ['*.html', '*.js']},
    py_modules=['fdmae_cli'],
    entry_points={'console_scripts': ['fdmae = fdmae_cli:main']},
    cmdclass={'build_py': BuildWithMIM},
    python_requires='>=3.10',
    # No mmcv: it and mmcv-lite own the same folder, so that requiring one would
    # overwrite the other. compat.py says what to install.
    install_requires=[
        'torch>=2.6',  # from there on torch.load runs no pickled code
        'numpy>=1.26,<2.4',
        'mmengine>=0.10.7,<0.11',
        'mmaction2>=1.2,<1.3',
        'scipy',
        'joblib',
        'importlib-metadata',
        'setuptools<81',
    ],
    extras_require={
        **PARTS,
        'all': ALL,
        'docs': DOCS,
        'test': TEST,
        'lite': ['mmcv-lite>=2.1.0,<2.2'],
    },
)
