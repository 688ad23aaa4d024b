"""What a real forward pass keeps for its backward pass."""


def saved_by(torch, model, run) -> int:
    """Bytes of all tensors saved while `run` makes a loss, the weights of `model` apart."""
    torch.set_num_threads(1)  # a second thread would only wait, and do it busily
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run().backward()
    return sum(seen.values())
