"""Whom to cite: BibTeX once per paper, and which papers are behind a piece of work.

Methods, losses and whatever else has a paper carry its key in an attribute `citations`, and `cite` collects them.
"""

from collections.abc import Iterable

from heedful.errors import SettingsError

BIBTEX: dict[str, str] = {
    "heedful": """\
@software{heedful,
  title  = {heedful: See, steer, teach and measure the cross-attention of text-to-image diffusion models},
  author = {{heedful contributors}},
  year   = {2026},
  note   = {Apache-2.0}
}""",
    "chefer2023attend": """\
@article{chefer2023attend,
  title   = {Attend-and-Excite: Attention-Based Semantic Guidance for Text-to-Image Diffusion Models},
  author  = {Chefer, Hila and Alaluf, Yuval and Vinker, Yael and Wolf, Lior and Cohen-Or, Daniel},
  journal = {ACM Transactions on Graphics},
  volume  = {42},
  number  = {4},
  year    = {2023},
  doi     = {10.1145/3592116},
  note    = {SIGGRAPH 2023, arXiv:2301.13826}
}""",
    "agarwal2023astar": """\
@inproceedings{agarwal2023astar,
  title     = {{A-STAR}: Test-time Attention Segregation and Retention for Text-to-image Synthesis},
  author    = {Agarwal, Aishwarya and Karanam, Srikrishna and Joseph, K J and Saxena, Apoorv and Goswami, Koustava
               and Srinivasan, Balaji Vasan},
  booktitle = {Proceedings of the IEEE/CVF International Conference on Computer Vision (ICCV)},
  pages     = {2283--2293},
  year      = {2023},
  note      = {arXiv:2306.14544}
}""",
    "fisher1936": """\
@article{fisher1936,
  title   = {The Use of Multiple Measurements in Taxonomic Problems},
  author  = {Fisher, Ronald A.},
  journal = {Annals of Eugenics},
  volume  = {7},
  number  = {2},
  pages   = {179--188},
  year    = {1936},
  doi     = {10.1111/j.1469-1809.1936.tb02137.x}
}""",
    "rassin2023syngen": """\
@inproceedings{rassin2023syngen,
  title     = {Linguistic Binding in Diffusion Models: Enhancing Attribute Correspondence through Attention Map
               Alignment},
  author    = {Rassin, Royi and Hirsch, Eran and Glickman, Daniel and Ravfogel, Shauli and Goldberg, Yoav and
               Chechik, Gal},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2023},
  note      = {arXiv:2306.08877}
}""",
    "zhang2024ebama": """\
@inproceedings{zhang2024ebama,
  title     = {Object-Conditioned Energy-Based Attention Map Alignment in Text-to-Image Diffusion Models},
  author    = {Zhang, Yasi and Yu, Peiyu and Wu, Ying Nian},
  booktitle = {Proceedings of the European Conference on Computer Vision (ECCV)},
  year      = {2024},
  note      = {arXiv:2404.07389}
}""",
    "zhang2024disendiff": """\
@inproceedings{zhang2024disendiff,
  title     = {Attention Calibration for Disentangled Text-to-Image Personalization},
  author    = {Zhang, Yanbing and Yang, Mengping and Zhou, Qin and Wang, Zhe},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2024},
  note      = {arXiv:2403.18551}
}""",
    "li2023divide": """\
@inproceedings{li2023divide,
  title     = {Divide \\& Bind Your Attention for Improved Generative Semantic Nursing},
  author    = {Li, Yumeng and Keuper, Margret and Zhang, Dan and Khoreva, Anna},
  booktitle = {Proceedings of the British Machine Vision Conference (BMVC)},
  year      = {2023},
  note      = {arXiv:2307.10864}
}""",
    "meral2024conform": """\
@inproceedings{meral2024conform,
  title     = {{CONFORM}: Contrast is All You Need for High-Fidelity Text-to-Image Diffusion Models},
  author    = {Meral, Tuna Han Salih and Simsar, Enis and Tombari, Federico and Yanardag, Pinar},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2024},
  note      = {arXiv:2312.06059}
}""",
    "guo2024initno": """\
@inproceedings{guo2024initno,
  title     = {{InitNO}: Boosting Text-to-Image Diffusion Models via Initial Noise Optimization},
  author    = {Guo, Xiefan and Liu, Jinlin and Cui, Miaomiao and Li, Jiankai and Yang, Hongyu and Huang, Di},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2024},
  note      = {arXiv:2404.04650}
}""",
    "bill2025focus": """\
@article{bill2025focus,
  title   = {{FOCUS}: Optimal Control for Multi-Entity World Modeling in Text-to-Image Generation},
  author  = {Bill, Eric Tillmann and Simsar, Enis and Hofmann, Thomas},
  journal = {arXiv preprint arXiv:2510.02315},
  year    = {2025},
  note    = {First version: Optimal Control Meets Flow Matching: A Principled Route to Multi-Subject Fidelity}
}""",
    "jo2026isac": """\
@inproceedings{jo2026isac,
  title     = {{ISAC}: Training-Free Instance-to-Semantic Attention Control for Improving Multi-Instance Generation},
  author    = {Jo, Sanghyun and Lee, Wooyeol and Lee, Ziseok and Kim, Kyungsu},
  booktitle = {European Conference on Computer Vision},
  year      = {2026},
  note      = {arXiv:2505.20935}
}""",
    "osi2026": """\
@misc{osi2026,
  title  = {{OSI}},
  author = {{Not named in the digest that heedful read}},
  year   = {2026},
  note   = {ICML 2026, arXiv:2605.14270}
}""",
    "feng2023structured": """\
@inproceedings{feng2023structured,
  title     = {Training-Free Structured Diffusion Guidance for Compositional Text-to-Image Synthesis},
  author    = {Feng, Weixi and He, Xuehai and Fu, Tsu-Jui and Jampani, Varun and Akula, Arjun and Narayana, Pradyumna
               and Basu, Sugato and Wang, Xin Eric and Wang, William Yang},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2023},
  note      = {arXiv:2212.05032}
}""",
    "chen2024tebopt": """\
@inproceedings{chen2024tebopt,
  title     = {A Cat Is A Cat (Not A Dog!): Unraveling Information Mix-ups in Text-to-Image Encoders through Causal
               Analysis and Embedding Optimization},
  author    = {Chen, Chieh-Yun and Tseng, Chiang and Tsao, Li-Wu and Shuai, Hong-Han},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2024},
  note      = {arXiv:2410.00321}
}""",
    "byun2026dos": """\
@inproceedings{byun2026dos,
  title     = {{DOS}: Directional Object Separation in Text Embeddings for Multi-Object Image Generation},
  author    = {Byun, Dongnam and Park, Jungwon and Ko, Jungmin and Choi, Changin and Rhee, Wonjong},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  volume    = {40},
  number    = {4},
  pages     = {2490--2497},
  year      = {2026},
  note      = {arXiv:2510.14376}
}""",
    "radford2021clip": """\
@inproceedings{radford2021clip,
  title     = {Learning Transferable Visual Models From Natural Language Supervision},
  author    = {Radford, Alec and Kim, Jong Wook and Hallacy, Chris and Ramesh, Aditya and Goh, Gabriel and Agarwal,
               Sandhini and Sastry, Girish and Askell, Amanda and Mishkin, Pamela and Clark, Jack and Krueger, Gretchen
               and Sutskever, Ilya},
  booktitle = {Proceedings of the International Conference on Machine Learning (ICML)},
  year      = {2021},
  note      = {arXiv:2103.00020}
}""",
    "hessel2021clipscore": """\
@inproceedings{hessel2021clipscore,
  title     = {{CLIPScore}: A Reference-free Evaluation Metric for Image Captioning},
  author    = {Hessel, Jack and Holtzman, Ari and Forbes, Maxwell and Le Bras, Ronan and Choi, Yejin},
  booktitle = {Proceedings of the Conference on Empirical Methods in Natural Language Processing (EMNLP)},
  year      = {2021},
  note      = {arXiv:2104.08718}
}""",
    "oquab2024dinov2": """\
@article{oquab2024dinov2,
  title   = {{DINOv2}: Learning Robust Visual Features without Supervision},
  author  = {Oquab, Maxime and Darcet, Timoth{\\'e}e and Moutakanni, Th{\\'e}o and Vo, Huy and Szafraniec, Marc and
             others},
  journal = {Transactions on Machine Learning Research},
  year    = {2024},
  note    = {arXiv:2304.07193}
}""",
    "gal2023image": """\
@inproceedings{gal2023image,
  title     = {An Image is Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion},
  author    = {Gal, Rinon and Alaluf, Yuval and Atzmon, Yuval and Patashnik, Or and Bermano, Amit H. and Chechik, Gal
               and Cohen-Or, Daniel},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2023},
  note      = {arXiv:2208.01618}
}""",
    "kumari2023custom": """\
@inproceedings{kumari2023custom,
  title     = {Multi-Concept Customization of Text-to-Image Diffusion},
  author    = {Kumari, Nupur and Zhang, Bingliang and Zhang, Richard and Shechtman, Eli and Zhu, Jun-Yan},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2023},
  note      = {arXiv:2212.04488}
}""",
    "hu2022lora": """\
@inproceedings{hu2022lora,
  title     = {{LoRA}: Low-Rank Adaptation of Large Language Models},
  author    = {Hu, Edward J. and Shen, Yelong and Wallis, Phillip and Allen-Zhu, Zeyuan and Li, Yuanzhi and Wang, Shean
               and Wang, Lu and Chen, Weizhu},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2022},
  note      = {arXiv:2106.09685}
}""",
    "ruiz2023dreambooth": """\
@inproceedings{ruiz2023dreambooth,
  title     = {{DreamBooth}: Fine Tuning Text-to-Image Diffusion Models for Subject-Driven Generation},
  author    = {Ruiz, Nataniel and Li, Yuanzhen and Jampani, Varun and Pritch, Yael and Rubinstein, Michael and Aberman,
               Kfir},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2023},
  note      = {arXiv:2208.12242}
}""",
    "li2022blip": """\
@inproceedings{li2022blip,
  title     = {{BLIP}: Bootstrapping Language-Image Pre-training for Unified Vision-Language Understanding and
               Generation},
  author    = {Li, Junnan and Li, Dongxu and Xiong, Caiming and Hoi, Steven},
  booktitle = {Proceedings of the International Conference on Machine Learning (ICML)},
  year      = {2022},
  note      = {arXiv:2201.12086}
}""",
    "huang2023t2icompbench": """\
@inproceedings{huang2023t2icompbench,
  title     = {{T2I-CompBench}: A Comprehensive Benchmark for Open-world Compositional Text-to-image Generation},
  author    = {Huang, Kaiyi and Sun, Kaiyue and Xie, Enze and Li, Zhenguo and Liu, Xihui},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2023},
  note      = {arXiv:2307.06350}
}""",
    "minderer2023owlv2": """\
@inproceedings{minderer2023owlv2,
  title     = {Scaling Open-Vocabulary Object Detection},
  author    = {Minderer, Matthias and Gritsenko, Alexey and Houlsby, Neil},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2023},
  note      = {arXiv:2306.09683}
}""",
    "ghosh2023geneval": """\
@inproceedings{ghosh2023geneval,
  title     = {{GenEval}: An Object-Focused Framework for Evaluating Text-to-Image Alignment},
  author    = {Ghosh, Dhruba and Hajishirzi, Hannaneh and Schmidt, Ludwig},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2023},
  note      = {arXiv:2310.11513}
}""",
    "zhang2018excitation": """\
@article{zhang2018excitation,
  title   = {Top-Down Neural Attention by Excitation Backprop},
  author  = {Zhang, Jianming and Bargal, Sarah Adel and Lin, Zhe and Brandt, Jonathan and Shen, Xiaohui and Sclaroff,
             Stan},
  journal = {International Journal of Computer Vision},
  volume  = {126},
  year    = {2018},
  note    = {The pointing game. arXiv:1608.00507}
}""",
    "song2021ddim": """\
@inproceedings{song2021ddim,
  title     = {Denoising Diffusion Implicit Models},
  author    = {Song, Jiaming and Meng, Chenlin and Ermon, Stefano},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2021},
  note      = {arXiv:2010.02502}
}""",
    "rombach2022ldm": """\
@inproceedings{rombach2022ldm,
  title     = {High-Resolution Image Synthesis with Latent Diffusion Models},
  author    = {Rombach, Robin and Blattmann, Andreas and Lorenz, Dominik and Esser, Patrick and Ommer, Bj{\\"o}rn},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {10684--10695},
  year      = {2022},
  note      = {arXiv:2112.10752}
}""",
    "ho2022cfg": """\
@article{ho2022cfg,
  title   = {Classifier-Free Diffusion Guidance},
  author  = {Ho, Jonathan and Salimans, Tim},
  journal = {arXiv preprint arXiv:2207.12598},
  year    = {2022}
}""",
    "nguyen2023dataset": """\
@inproceedings{nguyen2023dataset,
  title     = {Dataset Diffusion: Diffusion-based Synthetic Data Generation for Pixel-Level Semantic Segmentation},
  author    = {Nguyen, Quang and Vu, Truong and Tran, Anh and Nguyen, Khoi},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2023},
  note      = {arXiv:2309.14303}
}""",
    "he2013guided": """\
@article{he2013guided,
  title   = {Guided Image Filtering},
  author  = {He, Kaiming and Sun, Jian and Tang, Xiaoou},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume  = {35},
  number  = {6},
  pages   = {1397--1409},
  year    = {2013},
  doi     = {10.1109/TPAMI.2012.213}
}""",
}
"""BibTeX entries by their key."""


def cite(*things: object) -> str:
    """Return the BibTeX of the papers behind `things`, each once and in order, and of heedful at the end.

    A thing is a key of `BIBTEX`, or anything with an attribute `citations`: a method, a loss, a class of them. What has
    none (a loss of your own, for example) adds nothing. Raises `SettingsError` for an unknown key.
    """
    keys = dict.fromkeys(key for thing in things for key in _keys(thing))
    keys.pop("heedful", None)
    return "\n\n".join(_entry(key) for key in [*keys, "heedful"]) + "\n"


def _keys(thing: object) -> Iterable[str]:
    """Return the keys that `thing` carries."""
    if isinstance(thing, str):
        return (thing,)
    return getattr(thing, "citations", ())


def _entry(key: str) -> str:
    """Return the entry of `key`; raises `SettingsError`."""
    if key not in BIBTEX:
        raise SettingsError(f"Expected one of the references {', '.join(BIBTEX)}, got {key!r}.")
    return BIBTEX[key]
