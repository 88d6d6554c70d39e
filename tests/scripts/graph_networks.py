"""Graph convolution (Kipf and Welling 2017) and graph attention (Velickovic et al. 2018) on two circles of friends."""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam


class GraphConv(nn.Module):
    def __init__(self, input_dim, output_dim, use_bias=False):
        super().__init__()
        self.kernel = nn.Parameter(torch.Tensor(input_dim, output_dim))
        nn.init.xavier_normal_(self.kernel)
        self.bias = None
        if use_bias:
            self.bias = nn.Parameter(torch.Tensor(output_dim))
            nn.init.zeros_(self.bias)

    def forward(self, input_tensor, adj_mat):
        support = torch.mm(input_tensor, self.kernel)
        output = torch.spmm(adj_mat, support)
        return output if self.bias is None else output + self.bias


class GCN(nn.Module):
    def __init__(self, input_dim, hidden_dim, output_dim, use_bias=True, dropout_p=0.1):
        super().__init__()
        self.gc1 = GraphConv(input_dim, hidden_dim, use_bias=use_bias)
        self.gc2 = GraphConv(hidden_dim, output_dim, use_bias=use_bias)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, x, adj):
        x = self.dropout(F.relu(self.gc1(x, adj)))
        return F.log_softmax(self.gc2(x, adj), dim=1)


class GraphAttentionLayer(nn.Module):
    def __init__(self, in_features, out_features, n_heads, concat=False, dropout=0.4, leaky_relu_slope=0.2):
        super().__init__()
        self.n_heads, self.concat, self.dropout = n_heads, concat, dropout
        self.n_hidden = out_features // n_heads if concat else out_features
        self.W = nn.Parameter(torch.empty(size=(in_features, self.n_hidden * n_heads)))
        self.a = nn.Parameter(torch.empty(size=(n_heads, 2 * self.n_hidden, 1)))
        self.leakyrelu = nn.LeakyReLU(leaky_relu_slope)
        self.softmax = nn.Softmax(dim=1)
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def forward(self, h, adj_mat):
        n_nodes = h.shape[0]
        h = F.dropout(torch.mm(h, self.W), self.dropout, training=self.training)
        h = h.view(n_nodes, self.n_heads, self.n_hidden).permute(1, 0, 2)
        source = torch.matmul(h, self.a[:, : self.n_hidden, :])
        target = torch.matmul(h, self.a[:, self.n_hidden :, :])
        e = self.leakyrelu(source + target.mT)
        e = torch.where(adj_mat > 0, e, -9e16 * torch.ones_like(e))
        attention = F.dropout(F.softmax(e, dim=-1), self.dropout, training=self.training)
        h_prime = torch.matmul(attention, h)
        if self.concat:
            return h_prime.permute(1, 0, 2).contiguous().view(n_nodes, self.n_heads * self.n_hidden)
        return h_prime.mean(dim=0)


class GAT(nn.Module):
    def __init__(self, in_features, n_hidden, n_heads, num_classes):
        super().__init__()
        self.gat1 = GraphAttentionLayer(in_features, n_hidden, n_heads, concat=True)
        self.gat2 = GraphAttentionLayer(n_hidden, num_classes, 1)

    def forward(self, x, adj):
        x = F.elu(self.gat1(x, adj.to_dense() if adj.is_sparse else adj))
        return F.log_softmax(self.gat2(x, adj.to_dense() if adj.is_sparse else adj), dim=1)


def make_graph(n=60):
    """Friends are mostly on one's own side; features tell the side faintly."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    same = labels[:, None] == labels[None]
    adjacency = np.triu(rng.random((n, n)) < np.where(same, 0.15, 0.02), 1)
    sources, targets = adjacency.nonzero()
    edges = torch.from_numpy(np.stack([sources, targets]))
    adj = torch.sparse_coo_tensor(edges, torch.ones(edges.shape[1]), (n, n))
    dense = adj.to_dense()
    dense = torch.maximum(dense, dense.T) + torch.eye(n)
    degree = torch.diag(torch.sum(dense, dim=1).pow(-0.5))
    adj = torch.mm(torch.mm(degree, dense), degree).to_sparse()
    features = torch.FloatTensor(rng.normal(size=(n, 8)) + 0.5 * labels[:, None])
    features = features / features.sum(1, keepdim=True).abs().clamp(min=1.0)
    return features, torch.LongTensor(labels), adj


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--l2", type=float, default=5e-4)
    args = parser.parse_args()
    torch.manual_seed(13)
    features, labels, adj_mat = make_graph()
    idx = torch.randperm(len(labels))
    idx_train, idx_test = idx[:30], idx[30:]
    print(adj_mat.is_sparse, adj_mat.shape, adj_mat._nnz(), adj_mat.coalesce().indices().shape)
    for net in (GCN(8, 16, 2), GAT(8, 16, 4, 2)):
        optimizer = Adam(net.parameters(), lr=args.lr, weight_decay=args.l2)
        criterion = nn.NLLLoss()
        for epoch in range(args.epochs):
            net.train()
            optimizer.zero_grad()
            output = net(features, adj_mat)
            loss = criterion(output[idx_train], labels[idx_train])
            loss.backward()
            optimizer.step()
            print(f"{epoch} {loss.item():.8g}")
        net.eval()
        with torch.no_grad():
            pred = net(features, adj_mat).argmax(dim=1)
        print(f"accuracy {(pred[idx_test] == labels[idx_test]).float().mean():.4f}")
