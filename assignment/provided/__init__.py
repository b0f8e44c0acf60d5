"""Code that students are given and do not edit: networks, data, figures.

Nothing here imports torchvision unless it is needed (`models.Encoder`, CIFAR-10 and MNIST by name).
"""
